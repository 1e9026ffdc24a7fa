import type { KeyObject } from 'node:crypto'
import type { KnownIssuer } from '../../auth/trusted-issuers.ts'
import type { VerificationKey } from '../../crypto/key-set.ts'
import { randomBytes, uuidV7 } from '../../crypto/random.ts'
import { drawKeyPair, signatureOf } from '../../crypto/signature.ts'
import { type ClientId, type EpochMs, milliseconds } from '../../domain/ids.ts'
import type { TrustedIssuer } from '../../domain/trusted-issuer.ts'

const ALGORITHM = 'ES256'
const LIFETIME_S = 60
const LONGEST_LIFETIME = milliseconds(3_600_000)

/** An issuer whose assertions stand for one client: it signs them itself, with a key of this process. */
export class SampleIssuer implements KnownIssuer {
  readonly terms: TrustedIssuer
  /** Whom its assertions stand for. */
  readonly clientId: ClientId
  readonly #privateKey: KeyObject
  readonly #key: VerificationKey

  private constructor(clientId: ClientId, terms: TrustedIssuer, privateKey: KeyObject, key: VerificationKey) {
    this.clientId = clientId
    this.terms = terms
    this.#privateKey = privateKey
    this.#key = key
  }

  static async draw(clientId: ClientId, scopes: readonly string[], audience: string): Promise<SampleIssuer> {
    const { publicKey, privateKey } = await drawKeyPair(ALGORITHM)
    const issuer = `https://issuer.example/${randomBytes(8).toString('hex')}`
    return new SampleIssuer(
      clientId,
      {
        issuer,
        keys: { kind: 'file', path: issuer },
        audience,
        singleUse: true,
        maxLifetime: LONGEST_LIFETIME,
        rules: [{ claims: [{ path: ['sub'], value: 'workload', prefix: false }], clientId, scopes }],
      },
      privateKey,
      { kid: null, algorithm: ALGORITHM, key: publicKey },
    )
  }

  async keysFor(): Promise<readonly VerificationKey[]> {
    return [this.#key]
  }

  /** RFC 7523 §3: an assertion of a workload, to be used once. */
  async assertion(now: EpochMs): Promise<string> {
    const { issuer, audience } = this.terms
    const iat = Math.floor(now / 1_000)
    const claims = { iss: issuer, sub: 'workload', aud: audience, iat, exp: iat + LIFETIME_S, jti: uuidV7() }
    const text = [{ alg: ALGORITHM, typ: 'JWT' }, claims]
      .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
      .join('.')
    const signature = await signatureOf(ALGORITHM, this.#privateKey, text)
    return `${text}.${signature.toString('base64url')}`
  }
}
