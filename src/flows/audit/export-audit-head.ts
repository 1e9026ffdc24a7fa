import { type ChainEnd, sealExportedHead } from '../../crypto/exported-head.ts'
import { success } from '../../results.ts'
import { condition, given } from '../condition.ts'
import { defineFlow } from '../flow.ts'
import { allHeads } from './verify-writer-registry.ts'

const headsAreRead = condition<object, { readonly chains: readonly ChainEnd[] }>('headsAreRead', async (ctx) => {
  const chains: ChainEnd[] = []
  for await (const { writerId, sequence, hash } of allHeads(ctx)) chains.push({ writerId, sequence, hash })
  return success({ chains })
})

/** Where all chains end now, under a MAC: to be kept where whoever writes to the database cannot reach it. */
export const exportAuditHead = defineFlow({
  name: 'exportAuditHead',
  lane: 'read',
  preconditions: given<object>().and(headsAreRead),
  run: (ctx, { chains }) => ({
    head: sealExportedHead(ctx.services.keyring, ctx.now, chains),
    chains: chains.length,
    events: chains.reduce((sum, { sequence }) => sum + sequence, 0),
  }),
  postconditions: [],
})
