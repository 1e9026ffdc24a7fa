import { setImmediate as nextTurn } from 'node:timers/promises'
import type { ChainEnd } from '../../crypto/audit-export-format.ts'
import { isSame, registryTotal } from '../../crypto/audit-seal.ts'
import { type AuditHead, NO_HASH } from '../../domain/audit-event.ts'
import type { FlowContext } from '../context.ts'
import { type ChainBreak, chainBreak } from './chain-walk.ts'
import { headMissing } from './verify-chain.ts'

const PAGE = 500

/** All heads, in the order in which their writers joined. */
export async function* allHeads(ctx: FlowContext, after = Number.MIN_SAFE_INTEGER): AsyncGenerator<AuditHead> {
  for (let last = after; ; ) {
    const heads = await ctx.stores.auditChains.heads(ctx, last, PAGE)
    yield* heads
    last = heads.at(-1)?.ordinal ?? last
    if (heads.length < PAGE) return
    await nextTurn()
    ctx.signal.throwIfAborted()
  }
}

/**
 * Verifies the set of writers as a whole: every writer that the registry counts or an exported head names must exist,
 * and every writer with rows must have a head. The last ordinal is looked up before the registry is read, so writers
 * that join meanwhile do not count as missing.
 */
export async function verifyWriterRegistry(
  ctx: FlowContext,
  exported: ReadonlyMap<string, ChainEnd>,
): Promise<readonly ChainBreak[]> {
  const { keyring } = ctx.services
  const lastOrdinal = await ctx.stores.auditChains.lastOrdinal(ctx)
  const registry = await ctx.stores.auditChains.writerRegistry(ctx)
  const breaks: ChainBreak[] = []
  const unseen = new Map(exported)
  const writers = registry?.writers ?? 0
  let next = 1
  let total: Buffer | null = NO_HASH
  const gap = (until: number) => {
    if (next >= until) return
    total = null
    const which = until - next === 1 ? `writer ${next}` : `writers ${next} to ${until - 1}`
    breaks.push(chainBreak('writer_missing', {}, `${which} of ${writers}: rows and head are missing`))
  }
  for await (const head of allHeads(ctx)) {
    unseen.delete(head.writerId)
    if (head.ordinal > writers || head.ordinal < next) continue
    gap(head.ordinal)
    next = head.ordinal + 1
    // The walk of its chain reports an unknown key.
    const known = keyring.has('audit', head.keyId)
    total = known && total !== null ? registryTotal(keyring, head.keyId, total, head) : null
  }
  gap(writers + 1)
  if (registry === null) breaks.push(chainBreak('roster_forged', {}, 'the registry of writers is missing'))
  else if (lastOrdinal > writers)
    breaks.push(chainBreak('roster_forged', {}, 'there are more heads than the registry counts'))
  else if (total !== null && !isSame(registry.total, total)) {
    breaks.push(chainBreak('roster_forged', {}, 'the registry does not match the writers'))
  }
  for (const { writerId, sequence } of unseen.values()) {
    const detail = `the chain had ${sequence} events when the head was exported, and is missing`
    breaks.push(chainBreak('writer_missing', { writerId }, detail))
  }
  breaks.push(...(await writersWithoutHead(ctx)))
  return breaks
}

/** Rows are committed together with their head, and are looked up before it. */
async function writersWithoutHead(ctx: FlowContext): Promise<readonly ChainBreak[]> {
  const { auditChains: chains } = ctx.stores
  const breaks: ChainBreak[] = []
  for (let writerId = await chains.writerAfter(ctx, ''); writerId !== null; ) {
    if ((await chains.head(ctx, writerId)) === null) {
      const extent = await chains.extent(ctx, writerId)
      breaks.push(headMissing(writerId, extent?.first ?? 0))
    }
    await nextTurn()
    ctx.signal.throwIfAborted()
    writerId = await chains.writerAfter(ctx, writerId)
  }
  return breaks
}
