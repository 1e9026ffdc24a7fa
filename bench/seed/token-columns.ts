import type { AccessTokenTable } from '../../src/stores/sql/core/schema.ts'

/** How one database spells what a generated token is made of. `||` joins text in all of them. */
export interface TokenSql {
  /** A number in hexadecimal digits, padded with zeros. */
  hex(expression: string, digits: number): string
  /** 32 random bytes. */
  readonly hash: string
  /** A table of the numbers `i` from one up to but without another. */
  numbers(from: number, to: number): string
  /** A number as text. */
  text(expression: string): string
}

/** What all generated tokens have in common. */
export interface TokenFill {
  /** How many tokens there are in all. */
  readonly tokens: number
  /** The moment of the last one; the others came one each millisecond before it. Epoch milliseconds. */
  readonly until: number
  readonly expiresAt: number
}

/** The clients that generated tokens were issued to, in turn. */
export const OWNERS = 20
export const OWNER_PREFIX = 'bench-owner-'
/** Whom they are for. */
export const AUDIENCE = 'https://orders.bench.internal'
export const SCOPES = 'orders.read orders.write'

/** The handle of a token, a UUIDv7 (RFC 9562 §5.7) of its moment and number; `insertTokens` makes the same. */
export function tokenIdOf({ tokens, until }: TokenFill, i: number): string {
  const at = until - tokens + i
  const high = Math.floor(at / 65_536)
  return `${hex(high, 8)}-${hex(at % 65_536, 4)}-7000-8000-${hex(i, 12)}`
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, '0')
}

/** Inserts tokens by number, in the order of the clustered key; the database itself makes them up. */
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
    // A column that is added to the table does not compile until it is filled here.
  } satisfies Record<keyof AccessTokenTable, string>
  const names = Object.keys(columns).join(', ')
  const values = Object.values(columns).join(', ')
  return `insert into oauth_access_tokens (${names}) select ${values} from ${sql.numbers(from, to)}`
}
