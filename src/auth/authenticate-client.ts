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
import { type FederatedIdentity, isIdentityOf } from '../domain/federated-identity.ts'
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

/** The parts of a call that authentication needs. */
export type AuthenticationContext = StoreContext & Pick<CallContext, 'caller' | 'peer' | 'certificate'>

/** An authenticated client, and the certificate that authenticated it, if any. */
export type AuthenticatedClient = Extract<Caller, { readonly kind: 'client' }>

/** The evidence that authenticates a client, and the single-use assertion that it consumes. */
interface Evidence {
  readonly certificate: CertificateThumbprint | null
  readonly secretId: SecretId | null
  readonly assertion: SingleUse | null
}

/** The credentials that a call presents, as far as they were checked without the client's registration. */
interface Shown {
  readonly proof: ClientProof
  readonly secretId: SecretId | null
  readonly assertion: UnverifiedAssertion | null
  readonly examination: Examination | null
}

const KEYS_RETRY_AFTER_MS = 5_000
/** Nothing was verified, so this is neither a success nor a failure. */
const KEYS_UNAVAILABLE = 'keys_unavailable'
const NOTHING_USED: Evidence = Object.freeze({ certificate: null, secretId: null, assertion: null })

type Secrets = readonly ClientSecret[]

const NONE: Secrets = Object.freeze([])

/** The result of comparing a presented secret with those of a client. */
interface Comparison {
  /** The secret that matches. `null`: none. */
  readonly match: SecretId | null
  /** Whether this use of the secret was recorded. */
  noted: boolean
}

export interface ClientAuthenticatorOptions {
  readonly reads: Pick<ReadStores, 'clients' | 'clientSecrets'>
  readonly keyring: Keyring
  /** The audience that assertions must have. */
  readonly issuer: string
  readonly bruteForceGuard: BruteForceGuard
  readonly authenticationFailures: AuthenticationFailures
  readonly jtiReplayGuard: JtiReplayGuard
  readonly secretUsage: SecretUsage
  readonly importedSecrets: ImportedSecrets
  readonly assertionExaminer: AssertionExaminer
  readonly keySets: ClientKeySets
}

/** Authenticates clients by their registered methods (RFC 6749 §2.3). */
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
  /** The secrets presented for each look-up, and the results of their comparison. */
  readonly #compared = new WeakMap<Promise<Secrets>, Map<string, Comparison>>()

  constructor(options: ClientAuthenticatorOptions) {
    this.#reads = options.reads
    this.#keyring = options.keyring
    this.#assertions = new ClientAssertions(options)
    this.#examiner = options.assertionExaminer
    this.#guard = options.bruteForceGuard
    this.#failures = options.authenticationFailures
    this.#replayGuard = options.jtiReplayGuard
    this.#secretUsage = options.secretUsage
    this.#importedSecrets = options.importedSecrets
  }

  /**
   * Authenticates a client by its registered method. An unknown id, a wrong credential and a disabled client cost the
   * same look-ups and the same HMAC, and give the same answer. The exception is a client whose secret was hashed by
   * another server: it takes longer until its first success. If published keys are unavailable, the call is no failure
   * and has an answer of its own (decision 0055). A caller with too many failures is refused before the check.
   * `authenticatedAt`: the time at which the same credential was accepted before in this call. An assertion is then
   * verified as of that time and is not consumed again, but it is verified with the current keys. Throws `StoreError`.
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
    const assertion = proof.kind === 'assertion' ? readAssertion(proof.assertion) : null
    const examining = proof.kind === 'assertion' ? this.#examine(ctx, presentedId, assertion, authenticatedAt) : null
    const [registered, secrets, examination] = await Promise.all([finding, lookUp, examining])
    // The bearer of the assertion gets this answer for any client, as ExchangeAssertion gives it.
    if (examination?.failed === 'issuer_keys_are_available') return keysAreUnavailable()
    // The client may have been changed while the keys of the issuer were fetched.
    const hasWaited = examination?.keys?.ok === true && examination.keys.waited
    const named = hasWaited ? await this.#reads.clients.find(ctx, clientId) : registered
    // No await if there is nothing to look up: an unknown client must not take a turn longer than a known one.
    const bySubject = named === null ? this.#clientNamedBySubject(ctx, presentedId, examination) : null
    const client = bySubject === null ? named : await bySubject
    const comparison = proof.kind === 'secret' ? this.#comparisonOf(ctx.now, proof.secret, secrets, lookUp) : null
    let secretId = comparison?.match ?? null
    const imported = secretId === null ? importedSecretsOf(client, secrets, ctx.now) : []
    if (imported.length > 0 && proof.kind === 'secret') {
      const found = await this.#matchImported(ctx, attempt, proof.secret, imported)
      if (!found.ok) return found
      if (found.value.match === null) return this.#refuseCounted(ctx, attempt)
      secretId = found.value.match
    }
    // Awaited in each case, so that the answers to calls that arrive together leave together. A later answer would
    // reveal which case it is.
    const evidence = await (client?.enabled
      ? this.#evidenceFor(ctx, client, { proof, secretId, assertion, examination }, authenticatedAt ?? ctx.now)
      : null)
    // Not a guess: neither counted nor audited. Decision 0055 states what this tells a stranger.
    if (evidence === KEYS_UNAVAILABLE) return keysAreUnavailable()
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

  /**
   * A failure is counted before the costly verification, so concurrent attempts get no more tries than sequential ones.
   */
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
      // Nothing was verified, so there is no failure to count.
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

  /** Only the registered method counts. Other credentials are ignored, even if they are valid. */
  #evidenceFor(
    ctx: AuthenticationContext,
    client: Client,
    { proof, secretId, assertion, examination }: Shown,
    moment: EpochMs,
  ): Evidence | null | Promise<Evidence | typeof KEYS_UNAVAILABLE | null> {
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
        return assertion === null ? null : this.#evidenceIn(ctx, assertion, client, moment)
      case 'federated_jwt':
        return examination === null ? null : federatedEvidence(client, examination)
      default:
        return client.authenticationMethod satisfies never
    }
  }

  async #evidenceIn(
    ctx: AuthenticationContext,
    assertion: UnverifiedAssertion,
    client: Client,
    moment: EpochMs,
  ): Promise<Evidence | typeof KEYS_UNAVAILABLE | null> {
    const verified = await this.#assertions.verify(ctx, client, assertion, moment)
    if (verified === null || verified === KEYS_UNAVAILABLE) return verified
    return { ...NOTHING_USED, assertion: verified }
  }

  /** RFC 7521 §4.2: an assertion alone identifies its client, because its subject takes the place of the client id. */
  #clientNamedBySubject(
    ctx: AuthenticationContext,
    presentedId: string,
    examination: Examination | null,
  ): Promise<Client | null> | null {
    if (examination === null || examination.failed !== null || examination.claims.sub !== presentedId) return null
    return this.#ownerOf(ctx, { issuer: examination.issuer.terms.issuer, subject: presentedId })
  }

  async #ownerOf(
    ctx: AuthenticationContext,
    name: Pick<FederatedIdentity, 'issuer' | 'subject'>,
  ): Promise<Client | null> {
    const [owner = null] = await this.#reads.clients.identityOwners(ctx, [name])
    return owner === null ? null : await this.#reads.clients.find(ctx, owner)
  }

  /**
   * Verifies an assertion of a trusted issuer. `null`: the assertion is the client's own. It is verified before it is
   * known whether the client exists, so neither the time nor the answer reveals that.
   */
  #examine(
    ctx: AuthenticationContext,
    presentedId: string,
    assertion: UnverifiedAssertion | null,
    authenticatedAt: EpochMs | null,
  ): Promise<Examination> | null {
    if (assertion?.claimed.iss === presentedId) return null
    return this.#examiner.examine(ctx, assertion, 'client_authentication', authenticatedAt ?? ctx.now)
  }

  /**
   * Calls of one turn share a look-up. If they present the same secret, they also share the result of its comparison.
   */
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

/** The location of the keys and the cause of the problem are in the log and in the output of `qscope doctor`. */
function keysAreUnavailable(): FailedResult {
  return fail('oauth.temporarily_unavailable', { because: 'issuer_keys', retryAfterMs: KEYS_RETRY_AFTER_MS })
}

/** RFC 7523 §3: a trusted issuer asserts that the caller is the client, by the client's name at that issuer. */
function federatedEvidence(client: Client, examination: Examination): Evidence | null {
  if (examination.failed !== null) return null
  const { claims, issuer } = examination
  const names = { issuer: issuer.terms.issuer, claims }
  if (!client.federatedIdentities.some((identity) => isIdentityOf(identity, names))) return null
  return { ...NOTHING_USED, assertion: singleUseOf(examination) }
}

/** The secrets of the client that another server hashed. */
function importedSecretsOf(client: Client | null, secrets: Secrets, now: EpochMs): Secrets {
  if (client?.authenticationMethod !== 'client_secret' || !client.enabled) return NONE
  return secrets.filter((secret) => secret.importedHash !== null && isSecretValid(secret, now))
}

/** RFC 8705 §2: the certificate of the connection is the client's, and has not expired since the handshake. */
function certificateOf(
  { certificate, now }: Pick<CallContext, 'certificate' | 'now'>,
  client: Client,
): CertificateThumbprint | null {
  if (certificate === null || client.tlsClientSubject === null || !isCurrent(certificate, now)) return null
  return isCertificateOf(client.tlsClientSubject, certificate) ? certificate.thumbprint : null
}

/** The maximum lifetime. It allows for transit time and bounds the use of a stolen assertion. */
const LONGEST = milliseconds(300_000)
const KEPT_KEY_SETS = 256

/** Verifies the assertions by which clients authenticate themselves (RFC 7523 §2.2). */
class ClientAssertions {
  readonly #issuer: string
  /** Key sets by their text. The same text always gives the same keys, so an entry never becomes stale. */
  readonly #keySets = new BoundedMap<string, readonly VerificationKey[]>(KEPT_KEY_SETS)

  readonly #published: ClientKeySets
  readonly #clients: ReadStores['clients']

  constructor({ issuer, keySets, reads }: Pick<ClientAuthenticatorOptions, 'issuer' | 'keySets' | 'reads'>) {
    this.#issuer = issuer
    this.#published = keySets
    this.#clients = reads.clients
  }

  /**
   * RFC 7523 §3: verifies an assertion by which a client authenticates itself, as of `now`. `null`: it is invalid. The
   * caller checks whether it was used before. An assertion that is invalid whatever its signature is refused without
   * its keys, so it is a failure also while they are unavailable, and causes no fetch.
   */
  async verify(
    ctx: AuthenticationContext,
    client: Client,
    assertion: UnverifiedAssertion,
    now: EpochMs,
  ): Promise<SingleUse | typeof KEYS_UNAVAILABLE | null> {
    const { claimed } = assertion
    if (!isTypedFor(assertion, 'client-authentication+jwt') || !speaksFor(claimed, client)) return null
    if (!isOnlyFor(claimed, this.#issuer) || !isTimely(claimed, now, LONGEST)) return null
    if (claimed.jti === undefined) return null
    const keys = await this.#keysOf(ctx, client, assertion)
    if (keys === null) return KEYS_UNAVAILABLE
    if ((await verifyAssertion(assertion, keys)) === null) return null
    return { madeBy: { kind: 'client', name: client.clientId }, jti: claimed.jti, expiresAt: endOf(claimed) }
  }

  /**
   * `null`: the client publishes its keys, and they are unavailable. They are also unavailable if the client was changed
   * while they were fetched: its host decides how long that takes, so it could delay the end of a stolen key.
   */
  async #keysOf(
    ctx: AuthenticationContext,
    { clientId, version, jwks, jwksUri }: Client,
    assertion: UnverifiedAssertion,
  ): Promise<readonly VerificationKey[] | null> {
    if (jwksUri !== null) {
      const found = await this.#published.keysAt(jwksUri, assertion)
      if (!found.ok) return null
      return found.waited && (await this.#clients.find(ctx, clientId))?.version !== version ? null : found.keys
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
