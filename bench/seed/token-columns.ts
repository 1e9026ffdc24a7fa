import type { AccessTokenTable } from '../../src/stores/sql/core/schema.ts'

/** The SQL expressions of generated tokens in one database. `||` concatenates texts in all of them. */
export interface TokenSql {
  /** A number in hexadecimal, padded with zeros. */
  hex(expression: string, digits: number): string
  /** 32 random bytes. */
  readonly hash: string
  /** A table of the numbers `i` from `from` up to but not including `to`. */
  numbers(from: number, to: number): string
  /** A number as text. */
  text(expression: string): string
}

/** The common properties of generated tokens. */
export interface TokenFill {
  /** The total number of tokens. */
  readonly tokens: number
  /** The time of the last token in epoch milliseconds. The others precede it by one millisecond each. */
  readonly until: number
  readonly expiresAt: number
}

/** The number of clients to which generated tokens were issued, in turn. */
export const OWNERS = 20
export const OWNER_PREFIX = 'bench-owner-'
/** The audience of the tokens. */
export const AUDIENCE = 'https://orders.bench.internal'
export const SCOPES = 'orders.read orders.write'

/** The id of a token: a UUIDv7 (RFC 9562 §5.7) of its time and number. `insertTokens` computes the same. */
export function tokenIdOf({ tokens, until }: TokenFill, i: number): string {
  const at = until - tokens + i
  const high = Math.floor(at / 65_536)
  return `${hex(high, 8)}-${hex(at % 65_536, 4)}-7000-8000-${hex(i, 12)}`
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, '0')
}

/** Inserts tokens by number in the order of the clustered key. The database generates the values. */
export function insertTokens(sql: TokenSql, fill: TokenFill, from: number, to: number): string {
  const at = `(${fill.until - fill.tokens} + i)`
  const handle = [sql.hex(`${at} >> 16`, 8), sql.hex(`${at} & 65535`, 4), sql.hex('i', 12)]
  const tokenId = `${handle[0]} || '-' || ${handle[1]} || '-7000-8000-' || ${handle[2]}`
  const owner = `'${OWNER_PREFIX}' || ${sql.text(`i % ${OWNERS}`)}`
  const columns = {
    token_id: tokenId,
    token_hash: sql.hash,
    client_id: owner,
    subject: owner,
    user_id: 'null',
    grant_id: 'null',
    scopes: `'${SCOPES}'`,
    audiences: `'["${AUDIENCE}"]'`,
    client_generation: '1',
    user_generation: 'null',
    certificate_hash: 'null',
    signing_key_id: 'null',
    actors: `'[]'`,
    ancestors: `'[]'`,
    extra_claims: 'null',
    issued_at: at,
    expires_at: `${fill.expiresAt} + i`,
    revoked_at: 'null',
    revocation_reason: 'null',
    ray_id: tokenId,
    created_at: at,
    created_by: owner,
    updated_at: 'null',
    updated_by: 'null',
    // A new column of the table does not compile until it is filled here.
  } satisfies Record<keyof AccessTokenTable, string>
  const names = Object.keys(columns).join(', ')
  const values = Object.values(columns).join(', ')
  return `insert into oauth_access_tokens (${names}) select ${values} from ${sql.numbers(from, to)}`
}
