import type { StatementPlan } from '../../../contract/statement-plans.ts'
import type { Execute, Statement } from '../../core/dialect.ts'
import { scannedTables, type TableAccess } from '../../core/plan.ts'
import { diagnosticRows } from '../../diagnostics.ts'

/** A step of a plan's text. */
interface PlanNode {
  readonly depth: number
  readonly text: string
  /** The lines with details, such as `Index Cond: …`. */
  readonly details: string[]
}

/** How a step reads a table: a full scan, or an index scan, with the index before the table. */
const READS = /^(?:Parallel )?(Seq Scan|Index Scan|Index Only Scan)(?: Backward)?(?: using \w+)? on (\w+)(?: (\w+))?/
/** A limit can stop the steps below these early. All other steps read all rows of the steps below them. */
const PASSES_ON = /^(Limit|LockRows)\b/
/** The condition of `takesFirstRows`. */
const PASSES_DELETED = /^Filter: \(\w+ IS NULL\)$/

/** EXPLAIN, with its costs. */
export async function postgresPlan(execute: Execute, statement: Statement): Promise<StatementPlan> {
  const { sql, parameters } = statement
  const rows = await diagnosticRows(execute, `explain ${sql}`, parameters)
  const lines = rows.map((row) => withoutValues([...row.values()][0] ?? ''))
  return { lines, scans: scannedTables(statement, accessesOf(lines)) }
}

/** Texts and bytes are quoted, with or without a type. */
function withoutValues(line: string): string {
  return line.replaceAll(/'(?:[^']|'')*'(?:::[a-z ]+(?:\[\])?)?/g, '?')
}

function accessesOf(lines: readonly string[]): readonly TableAccess[] {
  const nodes = nodesOf(lines)
  return nodes.flatMap((node, at) => {
    const [, kind, table, alias] = READS.exec(node.text) ?? []
    if (table === undefined) return []
    const hasBounds = node.details.some((detail) => detail.startsWith('Index Cond:'))
    const isFiltered = node.details.some((detail) => detail.startsWith('Filter:') && !PASSES_DELETED.test(detail))
    const stopsEarly = !isFiltered && isLimited(nodes, at)
    return [{ name: alias ?? table, isWhole: (kind === 'Seq Scan' || !hasBounds) && !stopsEarly }]
  })
}

function nodesOf(lines: readonly string[]): readonly PlanNode[] {
  const nodes: PlanNode[] = []
  for (const line of lines) {
    const text = line.trim()
    const isNode = nodes.length === 0 || text.startsWith('->')
    if (isNode) nodes.push({ depth: line.search(/\S/), text: text.replace(/^->\s*/, ''), details: [] })
    else nodes.at(-1)?.details.push(text)
  }
  return nodes
}

/** Whether a limit is above a step, without a step between them that needs all rows. */
function isLimited(nodes: readonly PlanNode[], at: number): boolean {
  let depth = nodes[at]?.depth ?? 0
  for (let above = at - 1; above >= 0; above -= 1) {
    const node = nodes[above]
    if (node === undefined || node.depth >= depth) continue
    if (node.text.startsWith('Limit')) return true
    if (!PASSES_ON.test(node.text)) return false
    depth = node.depth
  }
  return false
}
