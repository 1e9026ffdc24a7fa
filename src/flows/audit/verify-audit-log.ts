import { type ChainEnd, openExportedHead } from '../../crypto/audit-export-format.ts'
import { openPageToken, sealPageToken } from '../../crypto/page-token.ts'
import { invalidRequest, success } from '../../results.ts'
import { condition, given } from '../condition.ts'
import { query } from '../flow.ts'
import type { ChainBreak, ChainPlace } from './chain-walk.ts'
import { CHAIN_START, verifyChain, WalkBudget } from './verify-chain.ts'
import { allHeads, verifyWriterRegistry } from './verify-writer-registry.ts'

const LIST = 'audit_verification'
const DEFAULT_MAX_EVENTS = 100_000
/** Further breaks are only counted. */
const MOST_BREAKS = 100

export interface VerificationRequest {
  /** An earlier answer of `exportAuditHead`. Empty: none. */
  readonly exportedHead: string
  /** 0: the default, 100,000. */
  readonly maxEvents: number
  /** Empty: from the start. */
  readonly pageToken: string
}

/** The result of one part of the walk. */
export interface Verification {
  /** The chains that this part verified to their end. */
  readonly chains: number
  readonly events: number
  /** The first break of each broken chain, for at most a hundred chains. */
  readonly breaks: readonly ChainBreak[]
  readonly breakCount: number
  /** Empty: the whole log has been verified. */
  readonly nextPageToken: string
}

/** The position at which a walk continues: a verified place in the chain of one writer. */
interface Rest extends ChainPlace {
  readonly ordinal: number
}

type Exported = { readonly exported: ReadonlyMap<string, ChainEnd> }
type From = { readonly from: Rest | null }

const exportedHeadIsOurs = condition<VerificationRequest, Exported>('exportedHeadIsOurs', (ctx, { exportedHead }) => {
  if (exportedHead === '') return success({ exported: new Map() })
  const exported = openExportedHead(ctx.services.keyring, exportedHead)
  if (typeof exported !== 'string') return success({ exported })
  return invalidRequest('exported_head', exported)
})

/** A token states which places were verified already, so it must be one that this service issued. */
const pageTokenIsOfThisWalk = condition<VerificationRequest, From>('pageTokenIsOfThisWalk', (ctx, request) => {
  const { exportedHead, pageToken } = request
  if (pageToken === '') return success({ from: null })
  const cursor = openPageToken(ctx.services.keyring, LIST, { exportedHead }, pageToken)
  if (cursor !== null) return success({ from: readRest(cursor) })
  const description = 'must be the next_page_token of the previous part, with the same exported head'
  return invalidRequest('page_token', description)
})

/** Verifies the chains of the audit log, and reports their breaks. */
export const verifyAuditLog = query({
  name: 'verifyAuditLog',
  preconditions: given<VerificationRequest>().and(exportedHeadIsOurs).and(pageTokenIsOfThisWalk),
  answer: async (ctx, { exported, exportedHead, maxEvents, from }): Promise<Verification> => {
    const patience = ctx.deadline === null ? null : ctx.deadline - ctx.now
    const budget = new WalkBudget(maxEvents === 0 ? DEFAULT_MAX_EVENTS : maxEvents, patience)
    const breaks: ChainBreak[] = from === null ? [...(await verifyWriterRegistry(ctx, exported))] : []
    let chains = 0
    let events = 0
    let nextPageToken = ''
    for await (const { ordinal, writerId } of allHeads(ctx, from === null ? undefined : from.ordinal - 1)) {
      const place = ordinal === from?.ordinal ? from : CHAIN_START
      const outcome = await verifyChain(ctx, writerId, place, exported.get(writerId) ?? null, budget)
      events += outcome.events
      if (outcome.rest !== null) {
        const cursor = printRest({ ...outcome.rest, ordinal })
        nextPageToken = sealPageToken(ctx.services.keyring, LIST, { exportedHead }, cursor)
        break
      }
      if (outcome.broken === null) chains += 1
      else breaks.push(outcome.broken)
    }
    return { chains, events, breaks: breaks.slice(0, MOST_BREAKS), breakCount: breaks.length, nextPageToken }
  },
})

function printRest({ ordinal, sequence, hash }: Rest): string {
  return [ordinal, sequence, hash?.toString('hex') ?? ''].join('.')
}

/** The token is sealed, so its content is what this service wrote. */
function readRest(cursor: string): Rest {
  const [ordinal = '', sequence = '', hash = ''] = cursor.split('.')
  return { ordinal: Number(ordinal), sequence: Number(sequence), hash: Buffer.from(hash, 'hex') }
}
