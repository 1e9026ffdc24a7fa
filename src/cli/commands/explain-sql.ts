import { Command } from 'commander'
import { assertDatabaseExists } from '../../app/database.ts'
import type { ExplainedCall } from '../../app/explain-sql/explain-sql.ts'
import { printable } from '../../printable.ts'
import { openLog, readConfig } from '../connection/environment.ts'
import { UsageError } from '../options/options.ts'
import { type OutputOptions, withOutput } from '../options/output-options.ts'
import { Output } from '../output/output.ts'

/** Loaded on demand, because no other command needs it. */
const loadExplainSql = () => import('../../app/explain-sql/explain-sql.ts')

export function explainSqlCommand(): Command {
  return withOutput(new Command('explain-sql'))
    .description('show the SQL statements of a flow, and their plans in the configured database; changes nothing')
    .argument('[flow]', 'such as clientCredentials (default: list the flows)')
    .action(async (flow: string | undefined, options: OutputOptions) => {
      const { explainableNames } = await loadExplainSql()
      const names = explainableNames()
      const output = new Output(options)
      if (flow === undefined) {
        output.answer({
          document: () => ({ flows: [...names] }),
          text: () => names.join('\n'),
          names: () => names,
        })
        return
      }
      if (!names.includes(flow))
        throw new UsageError(`the flow ${flow} does not exist; the flows are ${names.join(', ')}`)
      const calls = await explainHere(flow)
      output.answer({
        document: () => ({ flow, calls: calls.map(callJson) }),
        text: () => calls.map((call) => callText(output, call)).join('\n\n'),
        names: () => [flow],
      })
    })
}

async function explainHere(flow: string): Promise<readonly ExplainedCall[]> {
  const config = readConfig({ usesKeyring: false })
  const log = openLog(config, { quiet: true })
  assertDatabaseExists(config)
  const { explainSql } = await loadExplainSql()
  return await explainSql(config, log, (name) => name === flow)
}

function callJson({ variant, statements }: ExplainedCall) {
  return {
    variant,
    statements: statements.map(({ sql, lines, scans }) => ({ sql, plan: [...lines], scans: [...scans] })),
  }
}

function callText(output: Output, { name, variant, statements }: ExplainedCall): string {
  const title = output.heading(variant === null ? name : `${name}: ${variant}`)
  const texts = statements.map(({ sql, lines, scans }) => {
    const plan = lines.map((line) => `    ${printable(line)}`)
    const warning = scans.length === 0 ? [] : [`    ! full scan of ${scans.join(', ')}`]
    return [`  ${printable(sql)}`, ...plan, ...warning].join('\n')
  })
  return [title, ...(texts.length === 0 ? ['  (no statements)'] : texts)].join('\n')
}
