import {
  createHmac,
  createPublicKey,
  generateKeyPairSync,
  type JsonWebKey,
  type KeyObject,
  randomUUID,
  sign,
} from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { LONGEST_JWT } from '../../src/crypto/jwt.ts'

const TABLE = join(import.meta.dirname, '..', '..', 'clients', 'conformance', 'verifier-cases.json')

type Members = Readonly<Record<string, unknown>>

interface Recipe {
  readonly name: string
  readonly result: 'accepted' | 'invalid_token' | 'insufficient_scope'
  readonly says?: Members
  readonly issued?: boolean
  readonly required_scopes?: readonly string[]
  readonly certificate?: string
  readonly key?: string
  readonly signed_by?: string
  readonly header?: Members
  readonly header_text?: string
  readonly claims?: Members
  readonly claims_text?: string
  readonly claims_tail?: string
  readonly claims_bom?: boolean
  readonly claims_after?: Members
  readonly length?: 'longest' | 'too_long'
  readonly signature?: string
  readonly spelling?: string
  readonly signed?: 'spelled'
}

interface Table {
  readonly keys: Readonly<Record<string, { alg: string; modulus_length?: number; published?: boolean }>>
  readonly claims: Members
  readonly says: Members
  readonly cases: readonly Recipe[]
}

/** The table of `clients/conformance`. Its README describes the members. */
const table = JSON.parse(readFileSync(TABLE, 'utf8')) as Table

/** The result of a verifier: `accepted` with the claims, or the reason for a refusal. */
export type Verdict = Members & { readonly result: Recipe['result'] }

/** A token, how it is presented, and the expected result. */
export interface VerifierCase {
  readonly name: string
  readonly token: string
  /** The thumbprint of the presented certificate. */
  readonly certificate: string | null
  readonly required_scopes: readonly string[]
  readonly expected: Verdict
  /** The properties that the server would have stored with the token. `null`: it does not issue such a token. */
  readonly row: Members | null
}

export interface CaseKey {
  readonly kid: string
  readonly alg: string
  readonly privateKey: KeyObject
  readonly publicJwk: JsonWebKey
  readonly published: boolean
}

/** The audience and time of the table's tokens. Seconds since 1970. */
export interface CaseSettings {
  readonly clock: number
  readonly issuer: string
  readonly audience: string
  /** The id of an existing user. */
  readonly user: string
}

/** Generates the table's keys and tokens. */
export function verifierCases(settings: CaseSettings): { keys: readonly CaseKey[]; cases: readonly VerifierCase[] } {
  const keys = new Map(Object.entries(table.keys).map(([name, wanted]) => [name, drawKey(wanted)]))
  return { keys: [...keys.values()], cases: table.cases.map((recipe) => finish(recipe, keys, settings)) }
}

function drawKey({ alg, modulus_length: modulusLength = 2_048, published = true }: Table['keys'][string]): CaseKey {
  const { privateKey, publicKey } =
    alg === 'RS256'
      ? generateKeyPairSync('rsa', { modulusLength })
      : alg === 'ES256'
        ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
        : generateKeyPairSync('ed25519')
  return { kid: randomUUID(), alg, privateKey, publicJwk: publicKey.export({ format: 'jwk' }), published }
}

function finish(recipe: Recipe, keys: ReadonlyMap<string, CaseKey>, settings: CaseSettings): VerifierCase {
  const jti = randomUUID()
  const filled = (value: unknown) => fill(value, { ...settings, jti }, keys)
  const key = named(keys, recipe.key ?? 'es256')
  const claims = filled(merged(table.claims, recipe.claims)) as Members
  const header = filled(merged({ alg: key.alg, typ: 'at+jwt', kid: key.kid }, recipe.header))
  const headerText = recipe.header_text === undefined ? JSON.stringify(header) : inText(recipe.header_text, filled)
  const spell = (payload: string | Buffer) => spelled(recipe, keys, { header: headerText, payload })
  const token = sized(recipe.length, claims, (sizedClaims) => spell(payloadOf(recipe, sizedClaims, filled)))
  const expected =
    recipe.result === 'accepted'
      ? { result: recipe.result, ...(filled({ ...table.says, ...recipe.says }) as Members) }
      : { result: recipe.result }
  return {
    name: recipe.name,
    token,
    certificate: recipe.certificate ?? null,
    required_scopes: recipe.required_scopes ?? [],
    expected,
    row: recipe.issued === false ? null : claims,
  }
}

function named(keys: ReadonlyMap<string, CaseKey>, name: string): CaseKey {
  const key = keys.get(name)
  if (key === undefined) throw new Error(`the table has no key ${name}`)
  return key
}

/** Merges members. `null` removes one. */
function merged(base: Members, patch: Members = {}): Members {
  return Object.fromEntries(Object.entries({ ...base, ...patch }).filter(([, value]) => value !== null))
}

/** Replaces each `$name` by its value. */
function fill(value: unknown, settings: CaseSettings & { jti: string }, keys: ReadonlyMap<string, CaseKey>): unknown {
  if (Array.isArray(value)) return value.map((item) => fill(item, settings, keys))
  if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value).map(([name, member]) => {
      const key = keys.get(typeof member === 'string' ? member.slice(1) : '')
      const filled = name === 'jwk' && key !== undefined ? key.publicJwk : fill(member, settings, keys)
      return [name === '$audience' ? settings.audience : name, filled]
    })
    return Object.fromEntries(members)
  }
  if (typeof value !== 'string') return value
  const [, kind, offset = '0'] = /^(text:|millis:)?\$clock([+-][\d.]+)?$/.exec(value) ?? []
  if (value.includes('$clock')) {
    const time = settings.clock + Number(offset)
    return kind === 'text:' ? String(time) : kind === 'millis:' ? time * 1_000 : time
  }
  return value
    .replace('$issuer', settings.issuer)
    .replace('$audience', settings.audience)
    .replace('$AUDIENCE', settings.audience.toUpperCase())
    .replace('$user', settings.user)
    .replace('$jti', settings.jti)
    .replace(/^\$(\w+)$/, (whole, name) => keys.get(name)?.kid ?? whole)
}

/** The same in a JSON text that may be invalid. */
function inText(text: string, filled: (value: unknown) => unknown): string {
  return text
    .replace(/"\$[^"]*"/g, (quoted) => JSON.stringify(filled(quoted.slice(1, -1))))
    .replace(/\$deep(\d+)/, (_name, levels) => '['.repeat(Number(levels)) + ']'.repeat(Number(levels)))
}

function payloadOf(recipe: Recipe, claims: Members, filled: (value: unknown) => unknown): Buffer {
  const whole = recipe.claims_text ?? JSON.stringify(claims)
  const text = recipe.claims_tail === undefined ? whole : whole.slice(0, -1) + inText(recipe.claims_tail, filled)
  if (text.includes('$latin1')) return Buffer.from(text.replace('$latin1', 'é'), 'latin1')
  return Buffer.from(recipe.claims_bom === true ? `\ufeff${text}` : text)
}

/** The longest token that is parsed, or the shortest that is too long. */
function sized(length: Recipe['length'], claims: Members, spell: (claims: Members) => string): string {
  if (length === undefined) return spell(claims)
  const padded = (size: number) => spell({ ...claims, padding: 'x'.repeat(size) })
  let size = LONGEST_JWT - padded(0).length
  while (padded(size).length > LONGEST_JWT) size -= 1
  while (padded(size + 1).length <= LONGEST_JWT) size += 1
  return padded(length === 'longest' ? size : size + 1)
}

type Parts = Readonly<Record<'header' | 'payload' | 'signature', string>>

function spelled(
  recipe: Recipe,
  keys: ReadonlyMap<string, CaseKey>,
  contents: { readonly header: string; readonly payload: string | Buffer },
): string {
  const template = recipe.spelling ?? '{header}.{payload}.{signature}'
  const header = encoded(contents.header, template.includes('{header|stray}'))
  const payload = encoded(contents.payload, template.includes('{payload|stray}'))
  const unsigned = { header, payload, signature: '' }
  const text =
    recipe.signed === 'spelled' ? inSpelling('{header}.{payload}', template, unsigned) : `${header}.${payload}`
  const key = named(keys, recipe.signed_by ?? recipe.key ?? 'es256')
  const signature = signatureOf(text, key, recipe.signature).toString('base64url')
  const shown =
    recipe.claims_after === undefined
      ? payload
      : encode({ ...(JSON.parse(String(contents.payload)) as Members), ...recipe.claims_after })
  return inSpelling(template, template, { header, payload: shown, signature })
}

/** With surplus bits after the last byte if a case needs them. JSON allows additional white space. */
function encoded(text: string | Buffer, needsStrayBits: boolean): string {
  const bytes = Buffer.from(text)
  const isWhole = needsStrayBits && bytes.length % 3 === 0
  return (isWhole ? Buffer.concat([bytes, Buffer.from(' ')]) : bytes).toString('base64url')
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}

/** Writes the parts in the form of a template: `{header|padded}`. `wanted` is the part of the template to write. */
function inSpelling(wanted: string, template: string, parts: Parts): string {
  return wanted.replace(/\{(header|payload|signature)(?:\|(\w+))?\}/g, (_whole, name: keyof Parts, own?: string) => {
    const way = own ?? new RegExp(`\\{${name}\\|(\\w+)\\}`).exec(template)?.[1]
    return way === undefined ? parts[name] : misspelled(parts[name], way)
  })
}

const SPELLINGS: Readonly<Record<string, (part: string) => string>> = Object.freeze({
  padded: (part: string) => `${part}${'='.repeat((4 - (part.length % 4)) % 4) || '='}`,
  stray: (part: string) => withStrayBits(part),
  newline: (part: string) => `${part.slice(0, 8)}\n${part.slice(8)}`,
  space_before: (part: string) => ` ${part}`,
  space_after: (part: string) => `${part} `,
  tab: (part: string) => `${part.slice(0, 8)}\t${part.slice(8)}`,
  nul: (part: string) => `${part.slice(0, 8)}\0${part.slice(8)}`,
  latin: (part: string) => `${part.slice(0, 8)}é${part.slice(8)}`,
  standard: (part: string) => `${part}+`,
})

function misspelled(part: string, way: string): string {
  const spelling = SPELLINGS[way]
  if (spelling === undefined) throw new Error(`the table spells a part ${way}`)
  return spelling(part)
}

const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

/** The same bytes in another spelling. */
function withStrayBits(part: string): string {
  const other = part.slice(0, -1) + DIGITS[DIGITS.indexOf(part.slice(-1)) + 1]
  if (part.length % 4 === 0 || !Buffer.from(other, 'base64url').equals(Buffer.from(part, 'base64url'))) {
    throw new Error(`no bits are left over in ${part}`)
  }
  return other
}

function signatureOf(text: string, { alg, privateKey, publicJwk }: CaseKey, way = 'good'): Buffer {
  const data = Buffer.from(text)
  const key = privateKey
  const dsaEncoding = 'ieee-p1363'
  const good = () => sign(alg === 'EdDSA' ? null : 'sha256', data, { key, dsaEncoding })
  switch (way) {
    case 'good':
      return good()
    case 'none':
      return Buffer.alloc(0)
    case 'hmac_pem':
      return createHmac('sha256', createPublicKey(key).export({ format: 'pem', type: 'spki' }))
        .update(data)
        .digest()
    case 'hmac_jwk':
      return createHmac('sha256', JSON.stringify(publicJwk)).update(data).digest()
    case 'ps256':
      return sign('sha256', data, { key, padding: 6, saltLength: 32 })
    case 'rs512':
      return sign('sha512', data, key)
    case 'der':
      return sign('sha256', data, { key, dsaEncoding: 'der' })
    case 'flipped':
      return Buffer.from(good().map((byte, index) => (index === 0 ? byte ^ 1 : byte)))
    case 'short':
      return good().subarray(0, -1)
    case 'long':
      return Buffer.concat([good(), Buffer.of(0)])
    case 'zero':
      return Buffer.alloc(64)
    case 'zero_before':
      return Buffer.concat([Buffer.of(0), good()])
    default:
      throw new Error(`the table has a signature ${way}`)
  }
}
