import { createHmac, createPublicKey, sign } from 'node:crypto'
import { ALGORITHMS, type Claims, inSeconds, type SigningPair, signed, signingPair } from '../setup/assertions.ts'
import type { Platform } from '../setup/federated.ts'

/** The means of an attacker: valid claims, a signer that signs wrong claims by mistake, and another signer. */
export interface Target {
  readonly pair: SigningPair
  /** The claims of a valid assertion. */
  readonly claims: Claims
  /** The required audience. */
  readonly audience: string
  /** Another trusted platform with other clients, or another client with its key. */
  readonly other: Platform & { readonly subject: string }
  /** An access token that the server signed. */
  readonly ownToken: string
}

type Forgery = (target: Target) => string | Promise<string>

const encoded = (...parts: readonly string[]) => parts.map((part) => Buffer.from(part).toString('base64url')).join('.')

/** A JWT whose header and claims are written by hand, signed as they stand. */
function handWritten({ privateKey, algorithm }: SigningPair, header: string, claims: string): string {
  const input = encoded(header, claims)
  const key = algorithm === 'ES256' ? { key: privateKey, dsaEncoding: 'ieee-p1363' as const } : privateKey
  return `${input}.${sign('sha256', Buffer.from(input), key).toString('base64url')}`
}

const headerOf = ({ pair: { algorithm: alg, kid } }: Target, more: Claims = {}): Claims => ({ alg, kid, ...more })

/** Signed by the platform, with other claims or another header. */
const misled =
  (claims: Claims | ((target: Target) => Claims), header: Claims = {}): Forgery =>
  (target) =>
    signed(target.pair, { ...target.claims, ...(typeof claims === 'function' ? claims(target) : claims) }, header)

/** Signed by the platform, with a header that no library writes. */
const headed =
  (more: Claims): Forgery =>
  (target) =>
    handWritten(target.pair, JSON.stringify(headerOf(target, more)), JSON.stringify(target.claims))

/** Signed by the platform, with text before the members of header and claims. */
const preceded =
  (header: string, claims: string): Forgery =>
  (target) => {
    const [h, c] = [headerOf(target), target.claims].map((part) => JSON.stringify(part).slice(1))
    return handWritten(target.pair, `{${header}${h}`, `{${claims}${c}`)
  }

/** Without a valid signature. */
const unsigned =
  (header: Claims, signature = ''): Forgery =>
  (target) =>
    `${encoded(JSON.stringify({ kid: target.pair.kid, ...header }), JSON.stringify(target.claims))}.${signature}`

/** Signed with the attacker's own key, and the algorithm of the platform. */
const own =
  (header: (pair: SigningPair, target: Target) => Claims): Forgery =>
  async (target) => {
    const algorithm = ALGORITHMS.find((each) => each === target.pair.algorithm) ?? 'ES256'
    const pair = signingPair(algorithm, target.pair.kid)
    return await signed(pair, target.claims, header(pair, target))
  }

/** RFC 8725 §2.1: the public key used as the secret of a symmetric algorithm. */
const symmetric =
  (algorithm: 'HS256' | 'HS512', secretOf: (target: Target) => string | Buffer, more: Claims = {}): Forgery =>
  (target) => {
    const header = headerOf(target, { alg: algorithm, ...more })
    const input = encoded(JSON.stringify(header), JSON.stringify(target.claims))
    const hash = algorithm.replace('HS', 'sha')
    return `${input}.${createHmac(hash, secretOf(target)).update(input).digest('base64url')}`
  }
const publicKey = ({ pair }: Target) => createPublicKey(pair.privateKey)

const respelled =
  (spell: (header: string, claims: string, signature: string) => string): Forgery =>
  async (target) => {
    const [header = '', claims = '', signature = ''] = (await signed(target.pair, target.claims)).split('.')
    return spell(header, claims, signature)
  }

/** Forgeries that are refused everywhere. */
export const FORGERIES: Readonly<Record<string, Forgery>> = {
  'for nobody': misled({ aud: undefined }),
  'for an empty list': misled({ aud: [] }),
  'for an object': misled({ aud: {} }),
  'for another server': misled({ aud: 'https://other.example' }),
  'for this server and another': misled(({ audience }) => ({ aud: [audience, 'https://other.example'] })),
  'for another server and this': misled(({ audience }) => ({ aud: ['https://other.example', audience] })),
  'for this server twice': misled(({ audience }) => ({ aud: [audience, audience] })),
  'for this server with a slash': misled(({ audience }) => ({ aud: `${audience}/` })),
  'for this server in capitals': misled(({ audience }) => ({ aud: audience.toUpperCase() })),
  'about nobody': misled({ sub: undefined }),
  'about an empty name': misled({ sub: '' }),
  'about a list': misled(({ claims }) => ({ sub: [claims['sub']] })),
  'about a client of another platform': misled(({ other }) => ({ sub: other.subject })),
  'about a name that is longer': misled(({ claims }) => ({ sub: `${claims['sub']}x` })),
  'about a name in __proto__': (target) => {
    const { sub, ...claims } = target.claims
    const written = `{"__proto__":{"sub":${JSON.stringify(sub)}},${JSON.stringify(claims).slice(1)}`
    return handWritten(target.pair, JSON.stringify(headerOf(target)), written)
  },
  'without an end': misled({ exp: undefined }),
  'with a text as its end': misled({ exp: String(inSeconds(300)) }),
  'with an end beyond all numbers': (target) => {
    const { exp: _exp, ...claims } = target.claims
    return handWritten(target.pair, JSON.stringify(headerOf(target)), `{"exp":1e999,${JSON.stringify(claims).slice(1)}`)
  },
  'that has expired': misled({ iat: inSeconds(-600), nbf: inSeconds(-600), exp: inSeconds(-1) }),
  'that ended before 1970': misled({ exp: -1 }),
  'that lives for a day': misled({ exp: inSeconds(86_400) }),
  'made in the future': misled({ iat: inSeconds(600), nbf: inSeconds(0), exp: inSeconds(900) }),
  'that holds only later': misled({ nbf: inSeconds(600), exp: inSeconds(900) }),
  'without an algorithm': unsigned({}, 'AA'),
  'signed by none': unsigned({ alg: 'none' }),
  'signed by None': unsigned({ alg: 'None' }, 'AA'),
  'signed by nOnE': unsigned({ alg: 'nOnE' }, 'AA'),
  'with an empty signature': (target) => unsigned({ alg: target.pair.algorithm })(target),
  'with a signature of zeros': (target) =>
    unsigned({ alg: target.pair.algorithm }, Buffer.alloc(64).toString('base64url'))(target),
  'with the public key in PEM as secret': symmetric('HS256', (target) =>
    publicKey(target).export({ format: 'pem', type: 'spki' }),
  ),
  'with the public key in DER as secret': symmetric('HS256', (target) =>
    publicKey(target).export({ format: 'der', type: 'spki' }),
  ),
  'with the public key in JSON as secret': symmetric('HS512', ({ pair }) => JSON.stringify(pair.publicJwk)),
  'with an empty file as secret': symmetric('HS256', () => '', { kid: '../../../../dev/null' }),
  'under an algorithm of another key': headed({ alg: 'EdDSA' }),
  'under an algorithm that is not supported': headed({ alg: 'RS1' }),
  'under a list of algorithms': headed({ alg: ['none'] }),
  'of another platform’s key': ({ other, claims }) => signed(other.pair, claims),
  'of another platform’s key under this one’s name': ({ other, pair, claims }) =>
    signed({ ...other.pair, kid: pair.kid }, claims),
  'of a key of the same name': own(() => ({})),
  'of a key that it brings along': own(({ publicJwk }) => ({ jwk: publicJwk })),
  'of a key that it leads to': own(() => ({ jku: 'https://attacker.example/jwks' })),
  'of a certificate that it brings along': own(() => ({ x5c: ['AAAA'], x5u: 'https://attacker.example/pem' })),
  'of a key named by a path': own(() => ({ kid: '../../../../dev/null' })),
  'of a key named by SQL': own(() => ({ kid: "' or '1'='1" })),
  'of a key named by a URL': own(() => ({ kid: 'https://attacker.example/jwks' })),
  'of a key named as every object has': own(() => ({ kid: '__proto__' })),
  'of a key named at great length': own(() => ({ kid: 'k'.repeat(8_000) })),
  'of a key without a name': own(() => ({ kid: undefined })),
  'with a number as the name of its key': headed({ kid: 1 }),
  'of the type of access tokens': misled({}, { typ: 'at+jwt' }),
  'of the type of access tokens, in full': misled({}, { typ: 'application/AT+JWT' }),
  'of the type of transaction tokens': misled({}, { typ: 'txntoken+jwt' }),
  'of the type of introspections': misled({}, { typ: 'token-introspection+jwt' }),
  'of a type that is a number': headed({ typ: 1 }),
  'with an extension that it insists on': headed({ crit: ['x'], x: 1 }),
  'with an empty list of extensions': headed({ crit: [] }),
  'with a payload that is not encoded': headed({ b64: false }),
  'with two algorithms': preceded('"alg":"none",', ''),
  'with two algorithms, one in another spelling': preceded('"\\u0061lg":"none",', ''),
  'with two keys': preceded('"kid":"x",', ''),
  'with two subjects': preceded('', '"sub":"somebody",'),
  'with two audiences': preceded('', '"aud":"https://other.example",'),
  'with two ends': preceded('', '"exp":1,'),
  'with a name twice deep inside': preceded('', '"x":[{"a":1,"\\u0061":2}],'),
  'that is huge': misled({ x: 'x'.repeat(20_000) }),
  'with other claims than were signed': async (target) => {
    const [header, , signature] = (await signed(target.pair, { ...target.claims, x: 1 })).split('.')
    return `${header}.${encoded(JSON.stringify(target.claims))}.${signature}`
  },
  'cut off': respelled((header, claims, signature) => `${header}.${claims}.${signature.slice(0, -8)}`),
  'with a part too many': respelled((header, claims, signature) => `${header}.${claims}.${signature}.${signature}`),
  'in the form of an encrypted one': respelled((header, claims, signature) => `${header}..${claims}.${signature}.AA`),
  'in JSON': respelled((header, payload, signature) => JSON.stringify({ protected: header, payload, signature })),
  'with padding': respelled((header, claims, signature) => `${header}.${claims}.${signature}=`),
  'with white space': respelled((header, claims, signature) => `${header}.${claims}.${signature}\n`),
  'made by this server': ({ ownToken }) => ownToken,
}

/** Further forgeries for issuers that are named by `iss`. */
export const FORGERIES_BY_JWT: Readonly<Record<string, Forgery>> = {
  'of no issuer': misled({ iss: undefined }),
  'of an issuer that is not trusted': misled({ iss: 'https://nobody.example' }),
  'in the name of another platform': misled(({ other }) => ({ iss: other.issuer })),
  'in the name of this server': misled(({ audience }) => ({ iss: audience })),
  'of an issuer with a slash': misled(({ claims }) => ({ iss: `${claims['iss']}/` })),
  'of an issuer in capitals': misled(({ claims }) => ({ iss: String(claims['iss']).toUpperCase() })),
  'of a list of issuers': misled(({ claims }) => ({ iss: [claims['iss']] })),
}

/** Further forgeries for SPIFFE trust domains, which are named in the subject. */
export const FORGERIES_BY_SVID: Readonly<Record<string, Forgery>> = {
  'without the name of its key': headed({ kid: undefined }),
  'of the type of a client authentication': misled({}, { typ: 'client-authentication+jwt' }),
  'of the type of a grant': misled({}, { typ: 'authorization-grant+jwt' }),
  'about the trust domain itself': misled(({ claims }) => ({
    sub: /^spiffe:\/\/[^/]+/.exec(String(claims['sub']))?.[0],
  })),
  'about a path that leads elsewhere and back': misled(({ claims }) => ({
    sub: String(claims['sub']).replace(/\/([^/]+)$/, '/x/../$1'),
  })),
  'about a workload with a slash': misled(({ claims }) => ({ sub: `${claims['sub']}/` })),
  'about a scheme in capitals': misled(({ claims }) => ({ sub: String(claims['sub']).replace('spiffe', 'SPIFFE') })),
  'about a host with a port': misled(({ claims }) => ({
    sub: String(claims['sub']).replace('.example/', '.example:1/'),
  })),
  'about an encoded path': misled(({ claims }) => ({ sub: `${String(claims['sub']).slice(0, -1)}%73` })),
}

/** Further assertions of a platform that do not authenticate a client. They may be valid as authorization grants. */
export const FORGED_PROOFS: Readonly<Record<string, Forgery>> = {
  'that does not say when it was made': misled({ iat: undefined }),
  'that lives for more than an hour': misled({ iat: inSeconds(-1_800), exp: inSeconds(1_801) }),
}

/** Further forgeries for clients that sign their assertions themselves: each may be used once, within five minutes. */
export const FORGERIES_BY_CLIENT: Readonly<Record<string, Forgery>> = {
  'without an id': misled({ jti: undefined }),
  'with an empty id': misled({ jti: '' }),
  'with a number as its id': misled({ jti: 1 }),
  'that lives for six minutes': misled({ exp: inSeconds(360) }),
  'made in a minute': misled({ iat: inSeconds(60), exp: inSeconds(120) }),
  'that holds in a minute': misled({ nbf: inSeconds(60), exp: inSeconds(120) }),
  'in the name of another client': misled(({ other }) => ({ iss: other.issuer, sub: other.subject })),
}
