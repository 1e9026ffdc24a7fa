import type { KeyObject } from 'node:crypto'
import type { FoundKeys } from '../../auth/key-sources.ts'
import type { KnownIssuer, TrustedIssuers } from '../../auth/trusted-issuers.ts'
import type { VerificationKey } from '../../crypto/key-set.ts'
import { randomBytes, uuidV7 } from '../../crypto/random.ts'
import { drawKeyPair, signatureOf } from '../../crypto/signature.ts'
import { type ClientId, type EpochMs, milliseconds } from '../../domain/ids.ts'
import { claimPattern, type TrustedIssuer } from '../../domain/trusted-issuer.ts'
import type { StoreContext } from '../../stores/contract/context.ts'

const ALGORITHM = 'ES256'
const SUBJECT = 'workload'
const LIFETIME_S = 60
const LONGEST_LIFETIME = milliseconds(3_600_000)

/** An issuer whose assertions authenticate one client. It signs them with a key of this process. */
export class SampleIssuer implements KnownIssuer {
  readonly terms: TrustedIssuer
  /** The client of its assertions. */
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
    const subject = claimPattern('sub', SUBJECT)
    const claims = subject === null ? [] : [subject]
    const issuer = `https://issuer.example/${randomBytes(8).toString('hex')}`
    return new SampleIssuer(
      clientId,
      {
        issuer,
        origin: 'file',
        displayName: 'a sample',
        kind: 'jwt',
        trustDomain: null,
        keys: { kind: 'file', path: issuer },
        audience,
        singleUse: true,
        maxLifetime: LONGEST_LIFETIME,
        rules: [{ claims, condition: null, clientId, scopes, scopesExpression: null, tokenClaims: {} }],
      },
      privateKey,
      { kid: null, algorithm: ALGORITHM, key: publicKey },
    )
  }

  async keysFor(): Promise<FoundKeys> {
    return { ok: true, keys: [this.#key], leftOut: [], waited: false }
  }

  /** RFC 7523 §3: a single-use assertion of a workload. */
  async assertion(now: EpochMs): Promise<string> {
    const { issuer, audience } = this.terms
    const iat = Math.floor(now / 1_000)
    const claims = { iss: issuer, sub: SUBJECT, aud: audience, iat, exp: iat + LIFETIME_S, jti: uuidV7() }
    const text = [{ alg: ALGORITHM, typ: 'JWT' }, claims]
      .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
      .join('.')
    const signature = await signatureOf(ALGORITHM, this.#privateKey, text)
    return `${text}.${signature.toString('base64url')}`
  }
}

/** The sample issuer in addition to the server's trusted issuers, which are still looked up. */
export class SampleIssuers implements TrustedIssuers {
  readonly ofFile: TrustedIssuers['ofFile']
  readonly #sample: SampleIssuer
  readonly #others: TrustedIssuers

  constructor(sample: SampleIssuer, others: TrustedIssuers) {
    this.#sample = sample
    this.#others = others
    this.ofFile = new Map([[sample.terms.issuer, sample.terms]])
  }

  async find(ctx: StoreContext, issuer: string): Promise<KnownIssuer | null> {
    const found = await this.#others.find(ctx, issuer)
    return issuer === this.#sample.terms.issuer ? this.#sample : found
  }

  async isAny(ctx: StoreContext): Promise<boolean> {
    await this.#others.isAny(ctx)
    return true
  }

  async all(ctx: StoreContext): Promise<readonly TrustedIssuer[]> {
    return [this.#sample.terms, ...(await this.#others.all(ctx))]
  }
}
