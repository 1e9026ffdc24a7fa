import { AuditPosition, type ChainMark } from '../domain/audit-position.ts'
import type { Keyring } from './keyring.ts'
import { openPageToken, sealPageToken } from './page-token.ts'

/** Of the contract; some 20 characters for each chain that still grows. */
export const MAX_AUDIT_CURSOR_LENGTH = 16_384
const LIST = 'auditFeed'
const RADIX = 36

/**
 * Makes the opaque text by which a reader of the audit log goes on. It cannot be forged. Whoever may read the log may
 * read all of it, so the text is good for any of them. `null`: more chains grow than fit.
 */
export function sealAuditCursor(keyring: Keyring, { last, ordered }: AuditPosition): string | null {
  let previous = 0
  const written = ordered.map(([ordinal, { sequence, entry }]) => {
    const ahead = ordinal - previous
    previous = ordinal
    return [ahead, sequence, entry].map((value) => value.toString(RADIX)).join('.')
  })
  const sealed = sealPageToken(keyring, LIST, {}, [last.toString(RADIX), ...written].join(' '))
  return sealed.length <= MAX_AUDIT_CURSOR_LENGTH ? sealed : null
}

/** The position in a cursor; `null`: the text is none of this server's. */
export function openAuditCursor(keyring: Keyring, text: string): AuditPosition | null {
  const written = openPageToken(keyring, LIST, {}, text)
  return written === null ? null : readAuditPosition(written)
}

/** Of text that was made here. */
function readAuditPosition(text: string): AuditPosition {
  const [last = '', ...rest] = text.split(' ')
  let ordinal = 0
  const marks = rest.map((mark): readonly [number, ChainMark] => {
    const [ahead = 0, sequence = 0, entry = 0] = mark.split('.').map((value) => Number.parseInt(value, RADIX))
    ordinal += ahead
    return [ordinal, { sequence, entry }]
  })
  return new AuditPosition(Number.parseInt(last, RADIX), new Map(marks))
}
