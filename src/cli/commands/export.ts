import type { JsonObject } from '@bufbuild/protobuf'
import { Command, Option } from 'commander'
import { clientKind } from '../apply/client-kind.ts'
import { KIND_NAMES } from '../apply/plan.ts'
import type { KindName } from '../apply/planned-change.ts'
import { trustedIssuerKind } from '../apply/trusted-issuer-kind.ts'
import { userKind } from '../apply/user-kind.ts'
import type { Calls } from '../connection/calls.ts'
import { readWithCalls } from '../connection/session.ts'
import { type ConnectionOptions, withConnection } from '../options/options.ts'
import type { Output } from '../output/output.ts'
import { yamlText } from '../output/yaml.ts'

interface ExportOptions extends ConnectionOptions {
  readonly kind?: KindName
  readonly owner?: string
}

/** An object in the format of `apply`. */
export interface WrittenDocument {
  readonly kind: KindName
  readonly name: string
  readonly spec: JsonObject
}

export function exportCommand(): Command {
  return withConnection(new Command('export'))
    .description('print clients, trusted issuers and users as documents for apply, in YAML or JSON, without secrets')
    .addOption(new Option('--kind <kind>', 'only this kind (default: all)').choices(KIND_NAMES))
    .option('--owner <name>', 'only objects of this owner')
    .action(async (options: ExportOptions) => {
      await readWithCalls(options, async (calls, output) => {
        const documents: WrittenDocument[] = []
        for await (const document of exported(calls, options)) documents.push(document)
        writeDocuments(output, documents)
      })
    })
}

async function* exported(calls: Calls, { kind: only, owner = '' }: ExportOptions): AsyncGenerator<WrittenDocument> {
  for (const kind of [clientKind, trustedIssuerKind, userKind]) {
    if (only !== undefined && only !== kind.name) continue
    for await (const each of kind.export(calls, owner)) yield { kind: kind.name, ...each }
  }
}

/** Prints documents as a stream of YAML, or in the requested format. */
export function writeDocuments(output: Output, documents: readonly WrittenDocument[]): void {
  const plain = documents.map(({ kind, spec }) => ({ kind, spec }))
  output.answer({
    document: () => plain,
    text: () => plain.map((document) => `---\n${yamlText(document)}`.trimEnd()).join('\n'),
    names: () => documents.map(({ kind, name }) => `${kind}/${name}`),
  })
}
