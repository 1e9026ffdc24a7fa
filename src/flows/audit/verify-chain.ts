import { setImmediate as nextTurn } from 'node:timers/promises'
import type { ChainEnd } from '../../crypto/audit-export-format.ts'
import { eventHash, isSame } from '../../crypto/audit-seal.ts'
import { type AuditHead, type AuditRecord, NO_HASH } from '../../domain/audit-event.ts'
import type { FlowContext } from '../context.ts'
import { type ChainBreak, type ChainPlace, ChainWalk, chainBreak, headBreak } from './chain-walk.ts'

/** The number of rows read at a time. It bounds the memory of a walk and the time for which it blocks other calls. */
const PAGE = 500
/** The distance up to which a displaced row is searched for. */
const SEARCH = 10_000

export const CHAIN_START: ChainPlace = Object.freeze({ sequence: 0, hash: NO_HASH })

export interface ChainOutcome {
  /** The rows that this walk verified. */
  readonly events: number
  readonly broken: ChainBreak | null
  /** The place at which to continue. `null`: the chain was verified to its end, or to its break. */
  readonly rest: ChainPlace | null
}

/**
 * Verifies one chain from a place to its head. The last row is looked up before the head is read, and both change in
 * one commit. A server may write meanwhile, but no genuine row is ever after the head.
 */
export async function verifyChain(
  ctx: FlowContext,
  writerId: string,
  from: ChainPlace,
  exported: ChainEnd | null,
  budget: WalkBudget,
): Promise<ChainOutcome> {
  const { auditChains: chains } = ctx.stores
  const extent = await chains.extent(ctx, writerId)
  const head = await chains.head(ctx, writerId)
  const walk = new ChainWalk(ctx.services.keyring, writerId, from)
  const ended = (broken: ChainBreak | null) => ({
    events: walk.at.sequence - from.sequence,
    broken,
    rest: null,
  })
  if (head === null) return ended(headMissing(writerId))
  const wrong = headBreak(ctx.services.keyring, head) ?? behindExport(head, exported) ?? planted(head, extent)
  if (wrong !== null) return ended(wrong)

  while (walk.at.sequence < head.sequence) {
    if (budget.isSpent) return { events: walk.at.sequence - from.sequence, broken: null, rest: walk.at }
    const limit = Math.min(PAGE, budget.rows, head.sequence - walk.at.sequence)
    const records = await chains.records(ctx, writerId, walk.at.sequence, limit)
    if (records.length === 0) return ended(await placed(ctx, walk, walk.missing()))
    for (const record of records) {
      const broken = walk.step(record)
      if (broken !== null) return ended(await placed(ctx, walk, broken))
      if (record.sequence === exported?.sequence && !record.hash.equals(exported.hash)) {
        return ended(unlikeExport(record))
      }
    }
    budget.spend(records.length)
    await nextTurn()
    ctx.signal.throwIfAborted()
  }
  if (walk.at.hash?.equals(head.hash) !== true) {
    const at = { writerId, sequence: head.sequence }
    return ended(chainBreak('head_forged', at, 'the last event is not the one that the head names'))
  }
  const { sequence } = walk.at
  if (extent !== null && extent.last > sequence) {
    const detail = `there are rows after the head, up to place ${extent.last}`
    return ended(chainBreak('row_unaccounted', { writerId, sequence: sequence + 1 }, detail))
  }
  return ended(null)
}

export function headMissing(writerId: string, sequence = 0): ChainBreak {
  return chainBreak('head_missing', { writerId, sequence }, 'the writer has rows, but no head')
}

function behindExport({ writerId, sequence }: AuditHead, exported: ChainEnd | null): ChainBreak | null {
  if (exported === null || exported.sequence <= sequence) return null
  const detail = `the chain had ${exported.sequence} events when the head was exported`
  return chainBreak('behind_export', { writerId, sequence: sequence + 1 }, detail)
}

function unlikeExport({ writerId, sequence, eventId }: AuditRecord): ChainBreak {
  const detail = 'another event was at this place when the head was exported'
  return chainBreak('differs_from_export', { writerId, sequence, eventId }, detail)
}

function planted({ writerId }: AuditHead, extent: { readonly first: number } | null): ChainBreak | null {
  if (extent === null || extent.first > 0) return null
  return chainBreak('row_unaccounted', { writerId, sequence: extent.first }, 'a row is before the first place')
}

/** Distinguishes a moved row from a deleted or changed one: a row names its predecessor. */
async function placed(ctx: FlowContext, walk: ChainWalk, broken: ChainBreak): Promise<ChainBreak> {
  const { hash, sequence } = walk.at
  if (hash === null || (broken.kind !== 'row_changed' && broken.kind !== 'row_missing')) return broken
  const expected = sequence + 1
  const found = await ctx.stores.auditChains.follower(ctx, broken.writerId, hash, expected, SEARCH)
  const { keyring } = ctx.services
  if (found === null || !keyring.has('audit', found.keyId)) return broken
  if (!isSame(found.hash, eventHash(keyring, { ...found, sequence: expected }))) return broken
  const { writerId } = broken
  const detail = `the row of this place is at ${found.sequence}`
  return chainBreak('rows_reordered', { writerId, sequence: expected, eventId: found.eventId }, detail)
}

/** The share of the caller's time that the walk may use. The rest is for the answer. */
const SHARE = 0.5

/**
 * The limit for one call: a number of rows, and a share of the time to the caller's deadline. Each call makes some
 * progress.
 */
export class WalkBudget {
  readonly #until: number
  #rows: number
  #hasBegun = false

  /** `patienceMs`: how long the caller waits; `null`: the call has no deadline. */
  constructor(rows: number, patienceMs: number | null) {
    this.#rows = rows
    this.#until = patienceMs === null ? Number.POSITIVE_INFINITY : performance.now() + patienceMs * SHARE
  }

  get rows(): number {
    return this.#rows
  }

  get isSpent(): boolean {
    return this.#hasBegun && (this.#rows <= 0 || performance.now() > this.#until)
  }

  spend(rows: number): void {
    this.#hasBegun = true
    this.#rows -= rows
  }
}
