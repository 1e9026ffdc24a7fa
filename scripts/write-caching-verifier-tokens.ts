/**
 * Writes clients/conformance/caching-verifier-tokens.json, the finished tokens
 * and key set of caching-verifier-cases.json: `npm run docs`. With `--check` it
 * only compares, and fails when they differ. The keys are the published test
 * keys of RFC 8032 §7.1, and Ed25519 signatures are the same each time, so that
 * the file is.
 */
import { createPrivateKey, type KeyObject, sign } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

const conformance = join(import.meta.dirname, '..', 'clients', 'conformance')
const TARGET = join(conformance, 'caching-verifier-tokens.json')

/** RFC 8032 §7.1, TEST 1 to TEST 3 and TEST 1024: secret key and public key. */
const TEST_KEYS = [
  [
    '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60',
    'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
  ],
  [
    '4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb',
    '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
  ],
  [
    'c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7',
    'fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025',
  ],
  [
    'f5e5767cf153319517630f226876b86c8160cc583bc013744c6bf255f5cc0ee5',
    '278117fc144c72340f67d0f2316e8386ceffbf2b2428c9c51fef7c597f1d426e',
  ],
] as const

interface Claims {
  readonly client_id: string
  readonly subject: string
  readonly scopes: readonly string[]
  readonly audiences: readonly string[]
  readonly issued_in: number
  readonly expires_in: number
  readonly certificate: string | null
  readonly extra: object
}

interface TokenRecipe {
  readonly kind: 'opaque' | 'jwt'
  readonly keys: readonly string[]
  readonly claims?: Partial<Claims>
  readonly signed_by?: string
  readonly issuer?: string
  readonly rvk?: readonly unknown[] | null
  readonly forged?: boolean
}

interface Table {
  readonly clock: number
  readonly issuer: string
  readonly audience: string
  readonly certificates: Readonly<Record<string, string>>
  readonly signing_keys: Readonly<Record<string, { readonly rvk?: string; readonly published?: boolean }>>
  readonly claims: Claims
  readonly tokens: Readonly<Record<string, TokenRecipe>>
}

interface SigningKey {
  readonly jwk: Readonly<Record<string, string>>
  readonly isPublished: boolean
  readonly privateKey: KeyObject
}

const table = JSON.parse(await readFile(join(conformance, 'caching-verifier-cases.json'), 'utf8')) as Table
const signingKeys = new Map(
  Object.entries(table.signing_keys).map(([kid, { rvk, published = true }], index) => {
    const [secret = '', open = ''] = TEST_KEYS[index] ?? []
    const [d, x] = [secret, open].map((hex) => Buffer.from(hex, 'hex').toString('base64url'))
    if (d === undefined || d === '' || x === undefined) throw new Error('RFC 8032 has no more test keys')
    const jwk = { kty: 'OKP', use: 'sig', alg: 'EdDSA', kid, crv: 'Ed25519', x, ...(rvk && { rvk: keyText(rvk) }) }
    const privateKey = createPrivateKey({ key: { kty: 'OKP', crv: 'Ed25519', d, x }, format: 'jwk' })
    return [kid, { jwk, isPublished: published, privateKey } satisfies SigningKey] as const
  }),
)

/** The 16 bytes of a revocation key are its name, filled up with zeros. */
function keyText(name: string): string {
  const bytes = Buffer.alloc(16)
  if (bytes.write(name) !== Buffer.byteLength(name)) throw new Error(`${name} is longer than 16 bytes`)
  return bytes.toString('base64url')
}

function tokenOf(name: string, recipe: TokenRecipe): string {
  if (recipe.kind === 'opaque') return `qat_${name}`
  const claims = { ...table.claims, ...recipe.claims }
  const audiences = claims.audiences.map((audience) => audience.replace('$audience', table.audience))
  const rvk = recipe.rvk === undefined ? recipe.keys.map(keyText) : recipe.rvk
  const signer = signingKeys.get(recipe.signed_by ?? '')
  if (signer === undefined) throw new Error(`${name} is signed by nobody`)
  const header = { alg: 'EdDSA', typ: 'at+jwt', kid: recipe.signed_by }
  const payload = {
    ...claims.extra,
    iss: recipe.issuer ?? table.issuer,
    aud: audiences,
    sub: claims.subject,
    client_id: claims.client_id,
    iat: table.clock + claims.issued_in,
    exp: table.clock + claims.expires_in,
    jti: name,
    scope: claims.scopes.join(' '),
    ...(claims.certificate !== null && { cnf: { 'x5t#S256': table.certificates[claims.certificate] } }),
    ...(rvk !== null && { rvk }),
  }
  const signed = [header, payload].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')
  const signature = sign(null, Buffer.from(recipe.forged === true ? `${signed}.` : signed), signer.privateKey)
  return `${signed}.${signature.toString('base64url')}`
}

const published = [...signingKeys.values()].filter(({ isPublished }) => isPublished)
const finished = {
  keys: published.map(({ jwk }) => jwk),
  tokens: Object.fromEntries(Object.entries(table.tokens).map(([name, recipe]) => [name, tokenOf(name, recipe)])),
}
const text = `${JSON.stringify(finished, null, 2)}\n`
if (!process.argv.includes('--check')) {
  await writeFile(TARGET, text)
} else if ((await readFile(TARGET, 'utf8').catch(() => '')) !== text) {
  console.error('clients/conformance/caching-verifier-tokens.json is not in sync with its cases; run npm run docs')
  process.exit(1)
}
