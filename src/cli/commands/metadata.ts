import type { JsonValue } from '@bufbuild/protobuf'
import { Command } from 'commander'
import { GetServerMetadataResponseSchema, ServerService } from '../../gen/qscope/v1/server_service_pb.ts'
import { GetProtectedResourceMetadataResponseSchema, TokenService } from '../../gen/qscope/v1/token_service_pb.ts'
import { isObject } from '../../json-object.ts'
import type { Calls } from '../connection/calls.ts'
import { readWithCalls } from '../connection/session.ts'
import { withExample } from '../options/example.ts'
import { type ConnectionOptions, withConnection } from '../options/options.ts'
import { type Answer, documentJson, type Output, type Pair } from '../output/output.ts'

interface MetadataOptions extends ConnectionOptions {
  readonly resource?: string
}

/** RFC 8414 and RFC 9728. Public. */
export function metadataCommand(): Command {
  const command = withConnection(new Command('metadata'))
    .description('print the metadata with which programs discover a server')
    .option('--resource <url>', 'print the metadata of this resource server instead')
    .action(async (options: MetadataOptions) => {
      const { resource } = options
      const print = resource === undefined ? printServer : printResource(resource)
      await readWithCalls(options, print, { asNobody: true })
    })
  return withExample(command, 'qscope metadata -o yaml')
}

async function printServer(calls: Calls, output: Output): Promise<void> {
  const answer = await calls.call(ServerService.method.getServerMetadata, {})
  output.answer(answerOf(documentJson(GetServerMetadataResponseSchema, answer), answer.issuer, output))
}

function printResource(resource: string): typeof printServer {
  return async (calls, output) => {
    const answer = await calls.call(TokenService.method.getProtectedResourceMetadata, { resource })
    output.answer(answerOf(documentJson(GetProtectedResourceMetadataResponseSchema, answer), answer.resource, output))
  }
}

function answerOf(document: JsonValue, name: string, output: Output): Answer {
  return { document: () => document, text: () => output.pairs(pairsOf(document)), names: () => [name] }
}

/** The members of the document, one for each line. */
function pairsOf(document: JsonValue): readonly Pair[] {
  if (!isObject(document)) return []
  return Object.entries(document).map(([name, value]) => [
    nameText(name),
    Array.isArray(value) ? value.join(' ') : String(value),
  ])
}

/** A member's name as words. Words that would leave too little room for the value in 80 columns are omitted. */
function nameText(name: string): string {
  return name
    .replace(/(?:_values)?_supported$/, '')
    .replace('_endpoint_auth', '_auth')
    .replace('tls_client_certificate_bound_access_tokens', 'certificate_bound_tokens')
    .replaceAll('_', ' ')
}
