import { Command, Option } from 'commander'
import { stringify } from 'yaml'
import { printableLines } from '../printable.ts'
import { clientKind } from './apply/client-kind.ts'
import { KIND_NAMES } from './apply/plan.ts'
import type { KindName } from './apply/planned-change.ts'
import { userKind } from './apply/user-kind.ts'
import type { Calls } from './calls.ts'
import { type ConnectionOptions, withConnection } from './options.ts'
import { readWithCalls } from './session.ts'
import { writeAnswer } from './terminal.ts'

interface ExportOptions extends ConnectionOptions {
  readonly kind?: KindName
  readonly owner?: string
}

export function exportCommand(): Command {
  return withConnection(new Command('export'))
    .description('write what is registered as documents for apply, in YAML or (--json) JSON; never a secret')
    .addOption(new Option('--kind <kind>', 'only these (default: all)').choices(KIND_NAMES))
    .option('--owner <name>', 'only what has the mark of this owner')
    .action(async (options: ExportOptions) => {
      await readWithCalls(options, async (calls) => {
        const documents: object[] = []
        for await (const document of exported(calls, options)) documents.push(document)
        writeAnswer(options.json ? `${JSON.stringify(documents, null, 2)}\n` : yamlOf(documents))
      })
    })
}

async function* exported(calls: Calls, { kind: only, owner = '' }: ExportOptions): AsyncGenerator<object> {
  for (const kind of [clientKind, userKind]) {
    if (only !== undefined && only !== kind.name) continue
    for await (const spec of kind.export(calls, owner)) yield { kind: kind.name, spec }
  }
}

/** Texts that a terminal must not be shown as they are stand in quotes, where YAML knows escapes. */
function yamlOf(documents: readonly object[]): string {
  return documents
    .map((document) => {
      const plain = stringify(document, { lineWidth: 0 })
      const text =
        printableLines(plain) === plain
          ? plain
          : stringify(document, { lineWidth: 0, defaultStringType: 'QUOTE_DOUBLE' })
      return `---\n${text}`
    })
    .join('')
}
