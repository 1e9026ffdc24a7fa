import { once } from 'node:events'
import type { Writable } from 'node:stream'
import { backgroundContext, type Logger } from '../context.ts'
import {
  type ChainEnd,
  type ExportLine,
  exportedRow,
  macOf,
  openExportedHead,
  printExportEnd,
  readExportLine,
  sealExportedHead,
} from '../crypto/audit-export-format.ts'
import type { Keyring } from '../crypto/keyring.ts'
import type { AuditHead } from '../domain/audit-event.ts'
import { type ChainBreak, ChainWalk, chainBreak } from '../flows/audit/chain-walk.ts'
import { CHAIN_START } from '../flows/audit/verify-chain.ts'
import { printableLines } from '../printable.ts'
import type { App } from './app.ts'

const RECORDS_A_PAGE = 500
const HEADS_A_PAGE = 500

/**
 * Writes the log as JSON lines: the chains in the order in which the writers were registered, each in its own order, and a
 * last line with the head of the export. `after`: the head of an earlier export, whose events are omitted. Returns the number
 * of events. The export does not verify anything: modified rows are exported unchanged.
 */
export async function exportAuditLog(app: App, log: Logger, after: string | null, output: Writable): Promise<number> {
  const ctx = backgroundContext('audit-export', log)
  const { auditChains: chains } = app.backend.reads
  const earlier = after === null ? new Map<string, ChainEnd>() : openExportedHead(app.keyring, after)
  if (typeof earlier === 'string') throw new Error(`the head of the earlier export ${earlier}`)
  const heads: AuditHead[] = []
  for (let last = Number.MIN_SAFE_INTEGER; ; ) {
    const page = await chains.heads(ctx, last, HEADS_A_PAGE)
    heads.push(...page)
    last = page.at(-1)?.ordinal ?? last
    if (page.length < HEADS_A_PAGE) break
  }
  const known = new Set(heads.map(({ writerId }) => writerId))
  const gone = [...earlier.keys()].find((writerId) => !known.has(writerId))
  if (gone !== undefined)
    throw new Error(`the chain ${gone} of the earlier export is missing from the audit log: run qscope audit verify`)

  let events = 0
  for (const { writerId, sequence } of heads) {
    for (let at = earlier.get(writerId)?.sequence ?? 0; at < sequence; ) {
      const records = await chains.records(ctx, writerId, at, Math.min(RECORDS_A_PAGE, sequence - at))
      const inside = records.filter((record) => record.sequence <= sequence)
      await write(output, inside.map((record) => `${JSON.stringify(exportedRow(record))}\n`).join(''))
      events += inside.length
      at = inside.at(-1)?.sequence ?? sequence
    }
  }
  await write(output, `${printExportEnd(app.keyring, sealExportedHead(app.keyring, ctx.now, heads), after)}\n`)
  return events
}

/** Waits for the reader, which may be a terminal. */
async function write(output: Writable, text: string): Promise<void> {
  if (text !== '' && !output.write(printableLines(text))) await once(output, 'drain')
}

export interface ExportVerification {
  readonly chains: number
  readonly events: number
  readonly breaks: readonly ChainBreak[]
  /** Whether the export continues an earlier one whose head was not given. Its beginning is then not verified. */
  readonly startsUnproved: boolean
}

/**
 * Verifies an export line by line, with only the keyring: the chains from their start (`after`: the head of the earlier
 * export, if any) to the head in the last line. Throws if the lines are not an export.
 */
export async function verifyExport(
  keyring: Keyring,
  lines: AsyncIterable<string>,
  after: string | null,
): Promise<ExportVerification> {
  const earlier = after === null ? new Map<string, ChainEnd>() : openExportedHead(keyring, after)
  if (typeof earlier === 'string') throw new Error(`the exported head ${earlier}`)
  const walks = new Map<string, ChainWalk>()
  const broken = new Map<string, ChainBreak>()
  let events = 0
  let end: Extract<ExportLine, { kind: 'end' }> | null = null
  for await (const text of lines) {
    if (text === '') continue
    const line: ExportLine | null = end === null ? readExportLine(keyring, text) : null
    if (line === null) throw new Error('the file is not an export of the audit log')
    if (line.kind === 'end') {
      end = line
      continue
    }
    const { record } = line
    const { writerId } = record
    if (broken.has(writerId)) continue
    const walk =
      walks.get(writerId) ?? new ChainWalk(keyring, writerId, startOf(record.sequence, earlier.get(writerId)))
    walks.set(writerId, walk)
    const found = walk.step(record)
    if (found === null) events += 1
    else broken.set(writerId, found)
  }
  if (end === null) throw new Error('the export is truncated: its last line, with the head, is missing')
  const head = openExportedHead(keyring, end.head)
  if (typeof head === 'string' || !end.isOurs) {
    broken.set('', chainBreak('head_forged', {}, `the last line ${typeof head === 'string' ? head : 'was changed'}`))
    return { chains: 0, events, breaks: [...broken.values()], startsUnproved: false }
  }
  if (after !== null && end.after !== macOf(after)) throw new Error('the export does not continue from the given head')
  const startsUnproved = end.after !== null && after === null
  for (const chain of head.values()) {
    if (broken.has(chain.writerId)) continue
    const found = endBreak(chain, walks.get(chain.writerId), earlier.get(chain.writerId), startsUnproved)
    if (found !== null) broken.set(chain.writerId, found)
  }
  for (const [writerId, walk] of walks) {
    if (head.has(writerId) || broken.has(writerId)) continue
    const at = { writerId, sequence: walk.at.sequence }
    broken.set(writerId, chainBreak('head_missing', at, 'the head of the export does not name this chain'))
  }
  const chains = [...head.keys()].filter((writerId) => !broken.has(writerId)).length
  return { chains, events, breaks: [...broken.values()], startsUnproved }
}

/** The end of the earlier export. A new chain starts at its first place. */
function startOf(sequence: number, earlier: ChainEnd | undefined) {
  if (earlier !== undefined) return earlier
  return sequence === 1 ? CHAIN_START : { sequence: sequence - 1, hash: null }
}

function endBreak(
  { writerId, sequence, hash }: ChainEnd,
  walk: ChainWalk | undefined,
  earlier: ChainEnd | undefined,
  startsUnproved: boolean,
): ChainBreak | null {
  if (walk === undefined && startsUnproved) return null
  const at = walk?.at ?? earlier ?? CHAIN_START
  if (at.sequence === sequence && at.hash?.equals(hash) === true) return null
  const place = { writerId, sequence: at.sequence + 1 }
  return chainBreak('row_missing', place, `according to the head, the chain ends at ${sequence}`)
}
