import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import protobuf from 'protobufjs'
import { onTestFinished } from 'vitest'
import type { Behaviour } from './otlp-collector.ts'

const { root } = protobuf.parse(readFileSync(join(import.meta.dirname, 'otlp-logs.proto'), 'utf8'))
const LogsRequest = root.lookupType('opentelemetry.test.ExportLogsServiceRequest')

/** An exported log record, with its text attributes. */
export interface ReceivedRecord {
  readonly eventName: string
  readonly attributes: Readonly<Record<string, string>>
}

/**
 * A receiver of log records by OTLP over HTTP that keeps accepted records. `behave`: its reaction to a request. The
 * first request has the number 1.
 */
export async function startLogReceiver(behave: (request: number) => Behaviour) {
  const records: ReceivedRecord[] = []
  let requests = 0
  const server = createServer(async (request, response) => {
    const body = await buffer(request)
    requests += 1
    const behaviour = behave(requests)
    if (behaviour === 'say nothing') return
    if (behaviour === 'refuse') {
      response.writeHead(400).end()
      return
    }
    records.push(...decoded(body))
    response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.close()
    server.closeAllConnections()
  })
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}`, records, requests: () => requests }
}

function decoded(body: Buffer): readonly ReceivedRecord[] {
  const { resourceLogs } = LogsRequest.toObject(LogsRequest.decode(body))
  return resourceLogs.flatMap(({ scopeLogs }: Pick<LogsMessage, 'scopeLogs'>) =>
    scopeLogs.flatMap(({ logRecords }) =>
      logRecords.map(({ eventName, attributes }) => ({
        eventName,
        attributes: Object.fromEntries(attributes.map(({ key, value }) => [key, value.stringValue])),
      })),
    ),
  )
}

/** The parts of `ExportLogsServiceRequest` that tests read. */
interface LogsMessage {
  readonly scopeLogs: readonly {
    readonly logRecords: readonly {
      readonly eventName: string
      readonly attributes: readonly { readonly key: string; readonly value: { readonly stringValue: string } }[]
    }[]
  }[]
}
