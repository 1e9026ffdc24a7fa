import type { Client } from '../../domain/client.ts'
import type { ClientId } from '../../domain/ids.ts'
import { given } from '../condition.ts'
import { clientExists } from '../conditions/client.ts'
import { defineFlow } from '../flow.ts'

/** One registered client. */
export const getClient = defineFlow({
  name: 'getClient',
  lane: 'read',
  preconditions: given<{ readonly clientId: ClientId }>().and(clientExists),
  run: (_ctx, { client }): Client => client,
  postconditions: [],
})
