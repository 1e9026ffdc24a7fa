import type { ClientSecret } from '../../domain/client-secret.ts'
import type { ClientId } from '../../domain/ids.ts'
import { success } from '../../results.ts'
import { condition, given } from '../condition.ts'
import { clientExists } from '../conditions/client.ts'
import { defineFlow } from '../flow.ts'

const secretsAreRead = condition<{ readonly clientId: ClientId }, { readonly secrets: readonly ClientSecret[] }>(
  'secretsAreRead',
  async (ctx, { clientId }) => success({ secrets: await ctx.stores.clientSecrets.ofClient(ctx, clientId) }),
)

/** What is known of a client's secrets, newest first; never their values. */
export const listClientSecrets = defineFlow({
  name: 'listClientSecrets',
  lane: 'read',
  preconditions: given<{ readonly clientId: ClientId }>().and(clientExists).and(secretsAreRead),
  run: (_ctx, { secrets }): readonly ClientSecret[] => secrets,
  postconditions: [],
})
