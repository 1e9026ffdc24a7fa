import { readFileSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { Command } from 'commander'
import { messageOf } from '../../message-of.ts'
import { importHydra } from '../import/hydra.ts'
import type { Import } from '../import/imported-client.ts'
import { importKeycloak } from '../import/keycloak.ts'
import { UsageError } from '../options/options.ts'
import { type OutputOptions, withOutput } from '../options/output-options.ts'
import { Output } from '../output/output.ts'
import { writeError } from '../output/terminal.ts'
import { writeDocuments } from './export.ts'

/** The supported servers and the readers of their exports. */
const SOURCES: Readonly<
  Record<string, { readonly what: string; readonly read: (exported: unknown) => Promise<Import> }>
> = Object.freeze({
  hydra: { what: 'OAuth 2.0 clients of Ory Hydra, as listed by its API or command line', read: importHydra },
  keycloak: { what: 'an exported realm of Keycloak', read: importKeycloak },
})

export function importCommand(): Command {
  const command = new Command('import').description(
    'convert an export of another server to documents for apply; clients keep their secrets, which are imported as hashes',
  )
  for (const [name, { what, read }] of Object.entries(SOURCES)) {
    command.addCommand(
      withOutput(new Command(name))
        .description(what)
        .argument('<file>', 'the export, in JSON, or - for standard input')
        .action(async (file: string, options: OutputOptions) => {
          const { documents, notes, leftOut } = await read(await readJson(file))
          writeDocuments(new Output(options), documents)
          for (const note of notes) writeError(`note: ${note}`)
          for (const each of leftOut) writeError(`left out: ${each}`)
          if (leftOut.length > 0)
            throw new Error(`${leftOut.length} of ${documents.length + leftOut.length} objects could not be imported`)
        }),
    )
  }
  return command
}

async function readJson(file: string): Promise<unknown> {
  try {
    return JSON.parse(file === '-' ? await text(process.stdin) : readFileSync(file, 'utf8'))
  } catch (error) {
    throw new UsageError(`${file} cannot be read as JSON: ${messageOf(error)}`)
  }
}
