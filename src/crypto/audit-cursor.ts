import { type AuditPosition, positionOf, positionText } from '../domain/audit-position.ts'
import type { Keyring } from './keyring.ts'
import { openPageToken, sealPageToken } from './page-token.ts'

/** A limit of the contract. Each chain that still grows takes some 20 characters. */
export const MAX_AUDIT_CURSOR_LENGTH = 16_384
const LIST = 'auditFeed'

/**
 * Creates the opaque text with which a reader of the audit log continues. It cannot be forged. Every reader may read
 * the whole log, so any reader may use it. `null`: too many chains grow to fit.
 */
export function sealAuditCursor(keyring: Keyring, position: AuditPosition): string | null {
  const sealed = sealPageToken(keyring, LIST, {}, positionText(position))
  return sealed.length <= MAX_AUDIT_CURSOR_LENGTH ? sealed : null
}

/** The position in a cursor. `null`: the text is not a cursor of this server. */
export function openAuditCursor(keyring: Keyring, text: string): AuditPosition | null {
  const written = openPageToken(keyring, LIST, {}, text)
  return written === null ? null : positionOf(written)
}
