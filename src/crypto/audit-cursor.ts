import { type AuditPosition, positionOf, positionText } from '../domain/audit-position.ts'
import type { Keyring } from './keyring.ts'
import { openPageToken, sealPageToken } from './page-token.ts'

/** Of the contract; some 20 characters for each chain that still grows. */
export const MAX_AUDIT_CURSOR_LENGTH = 16_384
const LIST = 'auditFeed'

/**
 * Makes the opaque text by which a reader of the audit log goes on. It cannot be forged. Whoever may read the log may
 * read all of it, so the text is good for any of them. `null`: more chains grow than fit.
 */
export function sealAuditCursor(keyring: Keyring, position: AuditPosition): string | null {
  const sealed = sealPageToken(keyring, LIST, {}, positionText(position))
  return sealed.length <= MAX_AUDIT_CURSOR_LENGTH ? sealed : null
}

/** The position in a cursor; `null`: the text is none of this server's. */
export function openAuditCursor(keyring: Keyring, text: string): AuditPosition | null {
  const written = openPageToken(keyring, LIST, {}, text)
  return written === null ? null : positionOf(written)
}
