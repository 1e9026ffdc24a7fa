import { once } from 'node:events'
import type { Writable } from 'node:stream'
import { exportedRow, printExportEnd } from '../crypto/audit-export-format.ts'
import { type ChainEnd, openExportedHead, sealExportedHead } from '../crypto/exported-head.ts'
import type { AuditHead } from '../domain/audit-record.ts'
import type { Logger } from '../logger.ts'
import { printableLines } from '../printable.ts'
import { type App, systemContext } from './app.ts'

const PAGE = 500
const HEADS = 500

/**
 * Writes the log as JSON lines: chain by chain in the order the writers joined,
 * each in its own order; last a line with the head up to which it went. `after`
 * is the head of an earlier export, whose events are left out. Returns how many
 * events were written. Nothing is judged here: what was tampered with is shipped
 * as it is.
 */
export async function exportAuditLog(app: App, log: Logger, after: string | null, output: Writable): Promise<number> {
  const ctx = systemContext(log)
  const { auditChains: chains } = app.backend.reads
  const earlier = after === null ? new Map<string, ChainEnd>() : openExportedHead(app.keyring, after)
  if (typeof earlier === 'string') throw new Error(`the head to go on after ${earlier}`)
  const heads: AuditHead[] = []
  for (let last = Number.MIN_SAFE_INTEGER; ; ) {
    const page = await chains.heads(ctx, last, HEADS)
    heads.push(...page)
    last = page.at(-1)?.ordinal ?? last
    if (page.length < HEADS) break
  }
  const known = new Set(heads.map(({ writerId }) => writerId))
  const gone = [...earlier.keys()].find((writerId) => !known.has(writerId))
  if (gone !== undefined) throw new Error(`the chain ${gone} of the earlier export is gone: run qscope audit verify`)

  let events = 0
  for (const { writerId, sequence } of heads) {
    for (let at = earlier.get(writerId)?.sequence ?? 0; at < sequence; ) {
      const records = await chains.records(ctx, writerId, at, Math.min(PAGE, sequence - at))
      const inside = records.filter((record) => record.sequence <= sequence)
      await write(output, inside.map((record) => `${JSON.stringify(exportedRow(record))}\n`).join(''))
      events += inside.length
      at = inside.at(-1)?.sequence ?? sequence
    }
  }
  await write(output, `${printExportEnd(app.keyring, sealExportedHead(app.keyring, ctx.now, heads), after)}\n`)
  return events
}

/** Waits for whoever reads, which may be a terminal. */
async function write(output: Writable, text: string): Promise<void> {
  if (text !== '' && !output.write(printableLines(text))) await once(output, 'drain')
}
