import type { Client } from '../../domain/client.ts'
import { isSecretValid } from '../../domain/client-secret.ts'
import { clientId as asClientId, type SecretId } from '../../domain/ids.ts'
import type { FlowContext } from '../context.ts'

/** What a client shows beside its id (RFC 6749 §2.3). */
export type ClientProof =
  | { readonly kind: 'none' }
  | { readonly kind: 'secret'; readonly secret: string }
  | { readonly kind: 'assertion'; readonly assertion: string }

/**
 * Proves a client by its registered method, or returns `null`. An unknown id, a
 * wrong proof and a disabled client cost the same look-ups and the same HMAC,
 * and give the same answer.
 */
export async function authenticateClient(
  ctx: FlowContext,
  presentedId: string,
  proof: ClientProof,
): Promise<Client | null> {
  const clientId = asClientId(presentedId)
  const [client, secrets] = await Promise.all([
    ctx.stores.clients.find(ctx, clientId),
    ctx.stores.clientSecrets.ofClient(ctx, clientId),
  ])
  const secretId = proof.kind === 'secret' ? matchingSecret(ctx, proof.secret, secrets) : null
  if (client?.enabled && isProved(client, proof, secretId)) {
    if (secretId !== null) ctx.services.secretUsage.note(secretId, ctx.now)
    return client
  }
  ctx.services.authenticationFailures.report(ctx, { clientId: presentedId, known: client !== null })
  return null
}

/** Only the registered method counts; whatever else is shown, even if it were right, does not. */
function isProved(client: Client, proof: ClientProof, secretId: SecretId | null): boolean {
  switch (client.authenticationMethod) {
    case 'client_secret':
      return secretId !== null
    case 'none':
      return proof.kind === 'none'
    case 'private_key_jwt':
    case 'tls_client':
      return false
    default:
      return client.authenticationMethod satisfies never
  }
}

type Secrets = Awaited<ReturnType<FlowContext['stores']['clientSecrets']['ofClient']>>

function matchingSecret(ctx: FlowContext, presented: string, secrets: Secrets): SecretId | null {
  const { keyring } = ctx.services
  const valid = secrets.filter((secret) => isSecretValid(secret, ctx.now))
  if (valid.length === 0) keyring.hashSecret(presented)
  let match: SecretId | null = null
  for (const secret of valid) if (keyring.secretMatches(presented, secret)) match = secret.secretId
  return match
}
