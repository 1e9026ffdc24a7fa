import type { CertificateThumbprint } from '../../domain/certificate.ts'
import { isCurrent } from '../../domain/certificate.ts'
import type { Client } from '../../domain/client.ts'
import { isSecretValid } from '../../domain/client-secret.ts'
import { clientId as asClientId, type EpochMs, type SecretId } from '../../domain/ids.ts'
import { isCertificateOf } from '../../domain/tls-client-subject.ts'
import { fail, RETRY_AFTER_MS, type Result, success } from '../../results.ts'
import type { FlowContext } from '../context.ts'
import { readClientAssertion } from './client-assertion.ts'
import type { SingleUse } from './jti-replay-guard.ts'

/** What a client shows beside its id (RFC 6749 §2.3); a certificate came with the connection. */
export type ClientProof =
  | { readonly kind: 'none' }
  | { readonly kind: 'secret'; readonly secret: string }
  | { readonly kind: 'assertion'; readonly assertion: string }

export interface AuthenticatedClient {
  readonly client: Client
  /** What proved it, if it was a certificate. */
  readonly certificate: CertificateThumbprint | null
}

/** That a client is who it says, and what is used up by saying so. */
interface Evidence {
  readonly certificate: CertificateThumbprint | null
  readonly secretId: SecretId | null
  readonly assertion: SingleUse | null
}

/**
 * Proves a client by its registered method. An unknown id, a wrong proof and a
 * disabled client cost the same look-ups and the same HMAC, and give the same
 * answer; whoever failed too often is refused before. `authenticatedAt`: when the same proof held before in this call; an assertion
 * is then judged at that moment and not used up again, but by the keys of now.
 */
export async function authenticateClient(
  ctx: FlowContext,
  presentedId: string,
  proof: ClientProof,
  authenticatedAt: EpochMs | null,
): Promise<Result<AuthenticatedClient>> {
  const { bruteForceGuard: gate, authenticationFailures: failures } = ctx.services
  const attempt = { clientId: presentedId, proof }
  if (authenticatedAt === null) {
    const admitted = gate.admit(ctx, attempt)
    if (!admitted.ok) return admitted
  }
  const clientId = asClientId(presentedId)
  const finding = ctx.stores.clients.find(ctx, clientId)
  const lookUp = ctx.stores.clientSecrets.ofClient(ctx, clientId)
  const [client, secrets] = await Promise.all([finding, lookUp])
  const secretId = proof.kind === 'secret' ? matchingSecret(ctx, proof.secret, secrets, lookUp) : null
  const evidence = client?.enabled ? await evidenceFor(ctx, client, proof, secretId, authenticatedAt ?? ctx.now) : null
  const refuse = () => {
    gate.failed(ctx, attempt)
    failures.report(ctx, { clientId: presentedId, known: client !== null })
    return fail('oauth.invalid_client')
  }
  if (client === null || evidence === null) return refuse()
  if (evidence.assertion !== null && authenticatedAt === null) {
    const consumption = await ctx.services.jtiReplayGuard.consume(ctx, evidence.assertion)
    if (consumption === 'used') return refuse()
    if (consumption === 'overloaded') return fail('oauth.temporarily_unavailable', { retryAfterMs: RETRY_AFTER_MS })
  }
  if (evidence.secretId !== null) ctx.services.secretUsage.note(evidence.secretId, ctx.now)
  gate.succeeded(ctx, attempt)
  return success({ client, certificate: evidence.certificate })
}

const NOTHING_USED: Evidence = Object.freeze({ certificate: null, secretId: null, assertion: null })

/** Only the registered method counts; whatever else is shown, even if it were right, does not. */
async function evidenceFor(
  ctx: FlowContext,
  client: Client,
  proof: ClientProof,
  secretId: SecretId | null,
  judgedAt: EpochMs,
): Promise<Evidence | null> {
  switch (client.authenticationMethod) {
    case 'client_secret':
      return secretId === null ? null : { ...NOTHING_USED, secretId }
    case 'none':
      return proof.kind === 'none' ? NOTHING_USED : null
    case 'tls_client': {
      const certificate = proof.kind === 'none' ? certificateOf(ctx, client) : null
      return certificate === null ? null : { ...NOTHING_USED, certificate }
    }
    case 'private_key_jwt': {
      if (proof.kind !== 'assertion') return null
      const { issuer } = ctx.services
      const assertion = await readClientAssertion(client, proof.assertion, { issuer, now: judgedAt })
      return assertion === null ? null : { ...NOTHING_USED, assertion }
    }
    default:
      return client.authenticationMethod satisfies never
  }
}

/** RFC 8705 §2: the certificate of the connection is the client's, and has not run out since. */
function certificateOf({ certificate, now }: FlowContext, client: Client): CertificateThumbprint | null {
  if (certificate === null || client.tlsClientSubject === null || !isCurrent(certificate, now)) return null
  return isCertificateOf(client.tlsClientSubject, certificate) ? certificate.thumbprint : null
}

type Secrets = Awaited<ReturnType<FlowContext['stores']['clientSecrets']['ofClient']>>

/** What was shown to the secrets of one look-up, and which of them it was. */
const judged = new WeakMap<Promise<Secrets>, Map<string, SecretId | null>>()

/** Calls that share a look-up, which those of one turn do, share the HMAC of a secret that they all show. */
function matchingSecret(
  ctx: FlowContext,
  presented: string,
  secrets: Secrets,
  lookUp: Promise<Secrets>,
): SecretId | null {
  const shared = judged.get(lookUp) ?? new Map<string, SecretId | null>()
  const known = shared.get(presented)
  if (known !== undefined) return known
  const match = compareSecret(ctx, presented, secrets)
  judged.set(lookUp, shared.set(presented, match))
  return match
}

function compareSecret({ now, services: { keyring } }: FlowContext, presented: string, secrets: Secrets) {
  const valid = secrets.filter((secret) => isSecretValid(secret, now))
  if (valid.length === 0) keyring.hashSecret(presented)
  let match: SecretId | null = null
  for (const secret of valid) if (keyring.secretMatches(presented, secret)) match = secret.secretId
  return match
}
