import { actorOf } from '../../context.ts'
import { uuidV7 } from '../../crypto/random.ts'
import { drawToken } from '../../crypto/token.ts'
import type { ClientSecret } from '../../domain/client-secret.ts'
import { type ClientId, type RawToken, secretId } from '../../domain/ids.ts'
import type { FlowContext } from '../context.ts'

/** Draws a client secret: its value, this once, and what is stored of it. */
export function drawClientSecret(
  ctx: Pick<FlowContext, 'caller' | 'peer' | 'now'> & { readonly services: Pick<FlowContext['services'], 'keyring'> },
  clientId: ClientId,
): { readonly value: RawToken; readonly stored: ClientSecret } {
  const { keyring } = ctx.services
  const value = drawToken('client_secret')
  return {
    value,
    stored: Object.freeze({
      secretId: secretId(uuidV7()),
      clientId,
      keyId: keyring.active('pepper'),
      hash: keyring.hashSecret(value),
      createdAt: ctx.now,
      createdBy: actorOf(ctx),
      expiresAt: null,
      lastUsedAt: null,
    }),
  }
}
