import { BoundedMap } from '../bounded-map.ts'
import type { CallContext, Caller } from '../context.ts'
import {
  type AssertionClaims,
  endOf,
  isOnlyFor,
  isTimely,
  isTypedFor,
  readAssertion,
  type UnverifiedAssertion,
  verifyAssertion,
} from '../crypto/assertion.ts'
import { CLIENT_KEYS, readKeySet, type VerificationKey } from '../crypto/key-set.ts'
import type { Keyring } from '../crypto/keyring.ts'
import { type CertificateThumbprint, isCertificateOf, isCurrent } from '../domain/certificate.ts'
import { type Client, type ClientSecret, isSecretValid } from '../domain/client.ts'
import { isIdentityOf } from '../domain/federated-identity.ts'
import { clientId as asClientId, type EpochMs, milliseconds, type SecretId } from '../domain/ids.ts'
import { peerKey } from '../domain/peer-key.ts'
import { type FailedResult, fail, HOLDS, RETRY_AFTER_MS, type Result, success } from '../results.ts'
import type { ReadStores } from '../stores/contract/backend.ts'
import type { StoreContext } from '../stores/contract/context.ts'
import { type AssertionExaminer, type Examination, singleUseOf } from './assertion-examiner.ts'
import type { AuthenticationFailures } from './authentication-failures.ts'
import type { BruteForceGuard, ClientAttempt } from './brute-force-guard.ts'
import type { ClientProof } from './credentials.ts'
import type { ImportedSecrets } from './imported-secrets.ts'
import type { JtiReplayGuard, SingleUse } from './jti-replay-guard.ts'
import type { ClientKeySets } from './key-sources.ts'
import type { SecretUsage } from './secret-usage.ts'

/** What authentication needs of a call. */
export type AuthenticationContext = StoreContext & Pick<CallContext, 'caller' | 'peer' | 'certificate'>

/** A client that proved itself, and the certificate that proved it, if one did. */
export type AuthenticatedClient = Extract<Caller, { readonly kind: 'client' }>

/** That a client is who it says, and what is used up by saying so. */
interface Evidence {
  readonly certificate: CertificateThumbprint | null
  readonly secretId: SecretId | null
  readonly assertion: SingleUse | null
}

/** What was shown to prove a client, as far as it was judged without looking at the client. */
interface Shown {
  readonly proof: ClientProof
  readonly secretId: SecretId | null
  readonly examination: Examination | null
}

const KEYS_RETRY_AFTER_MS = 5_000
const NOTHING_USED: Evidence = Object.freeze({ certificate: null, secretId: null, assertion: null })

type Secrets = readonly ClientSecret[]

const NONE: Secrets = Object.freeze([])

/** A secret that was shown, beside those of a client. */
interface Comparison {
  /** Which of them it is; `null`: none. */
  readonly match: SecretId | null
  /** Whether it has been noted that it proved the client. */
  noted: boolean
}

export interface ClientAuthenticatorOptions {
  readonly reads: Pick<ReadStores, 'clients' | 'clientSecrets'>
  readonly keyring: Keyring
  /** Whom assertions must be meant for. */
  readonly issuer: string
  readonly bruteForceGuard: BruteForceGuard
  readonly authenticationFailures: AuthenticationFailures
  readonly jtiReplayGuard: JtiReplayGuard
  readonly secretUsage: SecretUsage
  readonly importedSecrets: ImportedSecrets
  readonly assertionExaminer: AssertionExaminer
  readonly keySets: ClientKeySets
}

/** Proves clients by the methods they are registered for (RFC 6749 §2.3). */
export class ClientAuthenticator {
  readonly #reads: ClientAuthenticatorOptions['reads']
  readonly #keyring: Keyring
  readonly #assertions: ClientAssertions
  readonly #guard: BruteForceGuard
  readonly #failures: AuthenticationFailures
  readonly #replayGuard: JtiReplayGuard
  readonly #secretUsage: SecretUsage
  readonly #importedSecrets: ImportedSecrets
  readonly #examiner: AssertionExaminer
  /** What was shown to the secrets of one look-up, and what came of it. */
  readonly #compared = new WeakMap<Promise<Secrets>, Map<string, Comparison>>()

  constructor(options: ClientAuthenticatorOptions) {
    this.#reads = options.reads
    this.#keyring = options.keyring
    this.#assertions = new ClientAssertions(options.issuer, options.keySets)
    this.#examiner = options.assertionExaminer
    this.#guard = options.bruteForceGuard
    this.#failures = options.authenticationFailures
    this.#replayGuard = options.jtiReplayGuard
    this.#secretUsage = options.secretUsage
    this.#importedSecrets = options.importedSecrets
  }

  /**
   * Proves a client by its registered method. An unknown id, a wrong proof and a
   * disabled client cost the same look-ups and the same HMAC, and give the same
   * answer; but a client whose secret another server hashed, until it proved itself
   * once, takes longer. Whoever failed too often is refused before. `authenticatedAt`: when
   * the same proof held before in this call; an assertion is then verified as of
   * that moment and not used up again, but by the keys of now. Throws `StoreError`.
   */
  async authenticate(
    ctx: AuthenticationContext,
    presentedId: string,
    proof: ClientProof,
    authenticatedAt: EpochMs | null,
  ): Promise<Result<AuthenticatedClient>> {
    const attempt = { clientId: presentedId, proof }
    if (authenticatedAt === null) {
      const admitted = this.#guard.admit(ctx, attempt)
      if (!admitted.ok) return admitted
    }
    const clientId = asClientId(presentedId)
    const finding = this.#reads.clients.find(ctx, clientId)
    const lookUp = this.#reads.clientSecrets.ofClient(ctx, clientId)
    const examining = proof.kind === 'assertion' ? this.#examine(ctx, presentedId, proof, authenticatedAt) : null
    const [named, secrets, examination] = await Promise.all([finding, lookUp, examining])
    // Whoever presents it is told so, to whichever client it belongs, as ExchangeAssertion tells them.
    if (examination?.failed === 'issuer_keys_are_available') return keysAreUnavailable()
    const client = named ?? (await this.#clientNamedBySubject(ctx, presentedId, examination))
    const comparison = proof.kind === 'secret' ? this.#comparisonOf(ctx.now, proof.secret, secrets, lookUp) : null
    let secretId = comparison?.match ?? null
    const imported = secretId === null ? importedSecretsOf(client, secrets, ctx.now) : []
    if (imported.length > 0 && proof.kind === 'secret') {
      const found = await this.#matchImported(ctx, attempt, proof.secret, imported)
      if (!found.ok) return found
      if (found.value.match === null) return this.#refuseCounted(ctx, attempt)
      secretId = found.value.match
    }
    // Awaited in each case: of calls that arrive together, whose answers leave together, none may be the later one for that.
    const evidence = await (client?.enabled
      ? this.#evidenceFor(ctx, client, { proof, secretId, examination }, authenticatedAt ?? ctx.now)
      : null)
    if (client === null || evidence === null) return this.#refuse(ctx, attempt, client !== null)
    if (evidence.assertion !== null && authenticatedAt === null) {
      const consumption = await this.#replayGuard.consume(ctx, evidence.assertion)
      if (consumption === 'used') return this.#refuse(ctx, attempt, true)
      if (consumption === 'overloaded') return fail('oauth.temporarily_unavailable', { retryAfterMs: RETRY_AFTER_MS })
    }
    if (comparison?.noted !== true) {
      if (evidence.secretId !== null) this.#secretUsage.note(evidence.secretId, ctx.now)
      this.#guard.succeeded(ctx, attempt)
      if (comparison !== null) comparison.noted = true
    }
    const { certificate, secretId: provedBy } = evidence
    return success({ kind: 'client', client, certificate, secretId: provedBy })
  }

  /** A failure is counted before the work that it costs, so that many at once are no more than one after the other. */
  async #matchImported(
    ctx: AuthenticationContext,
    attempt: ClientAttempt,
    presented: string,
    secrets: Secrets,
  ): Promise<Result<{ readonly match: SecretId | null }>> {
    const peer = peerKey(ctx.peer)
    const verification = { clientId: asClientId(attempt.clientId), peer, presented, secrets, deadline: ctx.deadline }
    const costsWork = !this.#importedSecrets.isUnderWay(verification)
    const counted = costsWork ? this.#guard.count(ctx, attempt) : HOLDS
    if (!counted.ok) return counted
    const match = await this.#importedSecrets.match(verification).catch((error: unknown) => {
      // Nothing was found out, so nobody failed.
      if (costsWork) this.#guard.uncount(ctx, attempt)
      throw error
    })
    if (match !== null && costsWork) this.#guard.uncount(ctx, attempt)
    else if (match === null && !costsWork) this.#guard.failed(ctx, attempt)
    if (match === 'busy') return fail('oauth.temporarily_unavailable', { retryAfterMs: RETRY_AFTER_MS })
    return success({ match })
  }

  #refuseCounted(ctx: AuthenticationContext, { clientId }: ClientAttempt): FailedResult {
    this.#failures.report(ctx, { clientId, known: true })
    return fail('oauth.invalid_client')
  }

  #refuse(ctx: AuthenticationContext, attempt: ClientAttempt, known: boolean): FailedResult {
    this.#guard.failed(ctx, attempt)
    this.#failures.report(ctx, { clientId: attempt.clientId, known })
    return fail('oauth.invalid_client')
  }

  /** Only the registered method counts; whatever else is shown, even if it were right, does not. */
  #evidenceFor(
    ctx: AuthenticationContext,
    client: Client,
    { proof, secretId, examination }: Shown,
    moment: EpochMs,
  ): Evidence | null | Promise<Evidence | null> {
    switch (client.authenticationMethod) {
      case 'client_secret':
        return secretId === null ? null : { ...NOTHING_USED, secretId }
      case 'none':
        return proof.kind === 'none' ? NOTHING_USED : null
      case 'tls_client': {
        const certificate = proof.kind === 'none' ? certificateOf(ctx, client) : null
        return certificate === null ? null : { ...NOTHING_USED, certificate }
      }
      case 'private_key_jwt':
        return proof.kind === 'assertion' ? this.#evidenceIn(proof.assertion, client, moment) : null
      case 'federated_jwt':
        return examination === null ? null : federatedEvidence(client, examination)
      default:
        return client.authenticationMethod satisfies never
    }
  }

  async #evidenceIn(assertion: string, client: Client, moment: EpochMs): Promise<Evidence | null> {
    const verified = await this.#assertions.verify(client, assertion, moment)
    return verified === null ? null : { ...NOTHING_USED, assertion: verified }
  }

  /** RFC 7521 §4.2: an assertion names its client by itself, where its subject stands in the place of an id. */
  async #clientNamedBySubject(
    ctx: AuthenticationContext,
    presentedId: string,
    examination: Examination | null,
  ): Promise<Client | null> {
    if (examination === null || examination.failed !== null || examination.claims.sub !== presentedId) return null
    const name = { issuer: examination.issuer.terms.issuer, subject: presentedId }
    const [owner = null] = await this.#reads.clients.identityOwners(ctx, [name])
    return owner === null ? null : await this.#reads.clients.find(ctx, owner)
  }

  /**
   * What a trusted issuer says of whoever calls; `null`: the client speaks for itself. It is judged before it is
   * known whether there is the client, so that neither the time nor the answer tells.
   */
  #examine(
    ctx: AuthenticationContext,
    presentedId: string,
    { assertion }: Extract<ClientProof, { kind: 'assertion' }>,
    authenticatedAt: EpochMs | null,
  ): Promise<Examination> | null {
    if (readAssertion(assertion)?.claimed.iss === presentedId) return null
    return this.#examiner.examine(ctx, assertion, 'client_authentication', authenticatedAt ?? ctx.now)
  }

  /** Calls that share a look-up, which those of one turn do, share what comes of a secret that they all show. */
  #comparisonOf(now: EpochMs, presented: string, secrets: Secrets, lookUp: Promise<Secrets>): Comparison {
    const shared = this.#compared.get(lookUp) ?? new Map<string, Comparison>()
    const known = shared.get(presented)
    if (known !== undefined) return known
    const fresh = { match: this.#compareSecret(now, presented, secrets), noted: false }
    this.#compared.set(lookUp, shared.set(presented, fresh))
    return fresh
  }

  #compareSecret(now: EpochMs, presented: string, secrets: Secrets): SecretId | null {
    const valid = secrets.filter((secret) => isSecretValid(secret, now))
    if (valid.length === 0) this.#keyring.hashSecret(presented)
    let match: SecretId | null = null
    for (const secret of valid) if (this.#keyring.secretMatches(presented, secret)) match = secret.secretId
    return match
  }
}

/** Where the keys are, and what is wrong there, is in the log and known to `qscope doctor`. */
function keysAreUnavailable(): FailedResult {
  return fail('oauth.temporarily_unavailable', { because: 'issuer_keys', retryAfterMs: KEYS_RETRY_AFTER_MS })
}

/** RFC 7523 §3: a trusted issuer says of the client, by a name that it has there, that it is the caller. */
function federatedEvidence(client: Client, examination: Examination): Evidence | null {
  if (examination.failed !== null) return null
  const { claims, issuer } = examination
  const names = { issuer: issuer.terms.issuer, claims }
  if (!client.federatedIdentities.some((identity) => isIdentityOf(identity, names))) return null
  return { ...NOTHING_USED, assertion: singleUseOf(examination) }
}

/** What another server hashed, of the secrets by which a client may prove itself. */
function importedSecretsOf(client: Client | null, secrets: Secrets, now: EpochMs): Secrets {
  if (client?.authenticationMethod !== 'client_secret' || !client.enabled) return NONE
  return secrets.filter((secret) => secret.importedHash !== null && isSecretValid(secret, now))
}

/** RFC 8705 §2: the certificate of the connection is the client's, and has not run out since. */
function certificateOf(
  { certificate, now }: Pick<CallContext, 'certificate' | 'now'>,
  client: Client,
): CertificateThumbprint | null {
  if (certificate === null || client.tlsClientSubject === null || !isCurrent(certificate, now)) return null
  return isCertificateOf(client.tlsClientSubject, certificate) ? certificate.thumbprint : null
}

/** Long enough to travel; a stolen one is of no use for longer. */
const LONGEST = milliseconds(300_000)
const KEPT_KEY_SETS = 256

/** Verifies the assertions by which clients prove themselves (RFC 7523 §2.2). */
class ClientAssertions {
  readonly #issuer: string
  /** Key sets by their text: the same text is the same keys, so none of them gets stale. */
  readonly #keySets = new BoundedMap<string, readonly VerificationKey[]>(KEPT_KEY_SETS)

  readonly #published: ClientKeySets

  /** `issuer`: whom assertions must be meant for. `published`: the keys of clients that publish them. */
  constructor(issuer: string, published: ClientKeySets) {
    this.#issuer = issuer
    this.#published = published
  }

  /**
   * RFC 7523 §3: an assertion by which a client proves itself, as of `now`;
   * `null`: it proves nothing. Whether it is new is for the caller to find out.
   */
  async verify(client: Client, text: string, now: EpochMs): Promise<SingleUse | null> {
    const assertion = readAssertion(text)
    if (assertion === null || !isTypedFor(assertion, 'client-authentication+jwt')) return null
    if (!speaksFor(assertion.claimed, client)) return null
    const keys = await this.#keysOf(client, assertion)
    if (keys === null) return null
    const claims = await verifyAssertion(assertion, keys)
    if (claims === null || !isOnlyFor(claims, this.#issuer)) return null
    if (claims.jti === undefined || !isTimely(claims, now, LONGEST)) return null
    return { madeBy: { kind: 'client', name: client.clientId }, jti: claims.jti, expiresAt: endOf(claims) }
  }

  /** `null`: the client publishes them, and they cannot be had. */
  async #keysOf({ jwks, jwksUri }: Client, assertion: UnverifiedAssertion): Promise<readonly VerificationKey[] | null> {
    if (jwksUri !== null) {
      const found = await this.#published.keysAt(jwksUri, assertion)
      return found.ok ? found.keys : null
    }
    if (jwks === null) return []
    let keys = this.#keySets.get(jwks)
    if (keys === undefined) {
      const read = readKeySet(jwks, CLIENT_KEYS)
      keys = read.ok ? read.keys : []
    }
    this.#keySets.set(jwks, keys)
    return keys
  }
}

/** RFC 7523 §3, items 1 and 2.B: the client is issuer and subject. */
function speaksFor({ iss, sub }: AssertionClaims, { clientId }: Client): boolean {
  return iss === clientId && sub === clientId
}
