import { readFileSync } from 'node:fs'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { gunzipSync } from 'node:zlib'
import protobuf from 'protobufjs'

const { root } = protobuf.parse(readFileSync(join(import.meta.dirname, 'otlp-trace.proto'), 'utf8'))
const Request = root.lookupType('opentelemetry.test.ExportTraceServiceRequest')

type Attributes = Readonly<Record<string, string | number | boolean>>

/** An exported span; ids are in hex, and empty if there is none. */
export interface ReceivedSpan {
  readonly name: string
  readonly kind: 'server' | 'client' | 'other'
  readonly traceId: string
  readonly spanId: string
  readonly parentId: string
  readonly traceState: string
  readonly attributes: Attributes
  readonly resource: Attributes
  readonly failed: boolean
  readonly links: readonly string[]
  readonly events: readonly { readonly name: string; readonly attributes: Attributes }[]
  readonly beganAt: number
  readonly endedAt: number
}

export type Collector = Awaited<ReturnType<typeof startCollector>>

/** The reaction of a collector to an export. */
export type Behaviour = 'take' | 'refuse' | 'say nothing'

/** A receiver of OTLP over HTTP that decodes exports. */
export async function startCollector(behaviour: Behaviour = 'take') {
  const spans: ReceivedSpan[] = []
  const bodies: Buffer[] = []
  const headers: IncomingHttpHeaders[] = []
  const paths = new Set<string>()
  const server = createServer(async (request, response) => {
    paths.add(`${request.method} ${request.url}`)
    headers.push(request.headers)
    const sent = await buffer(request)
    const body = request.headers['content-encoding'] === 'gzip' ? gunzipSync(sent) : sent
    if (behaviour === 'say nothing') return
    if (behaviour === 'refuse') {
      response.writeHead(400).end()
      return
    }
    bodies.push(body)
    spans.push(...decoded(body))
    response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    spans,
    /** The bytes of each export, decompressed. */
    bodies,
    headers,
    paths,
    stop: () => {
      server.closeAllConnections()
      return new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}

interface Encoded {
  resourceSpans: {
    resource: { attributes: KeyValue[] }
    scopeSpans: {
      spans: {
        name: string
        kind: number
        traceId: Uint8Array
        spanId: Uint8Array
        parentSpanId: Uint8Array
        traceState: string
        startTimeUnixNano: string
        endTimeUnixNano: string
        attributes: KeyValue[]
        links: { spanId: Uint8Array }[]
        events: { name: string; attributes: KeyValue[] }[]
        status: { code: number } | null
      }[]
    }[]
  }[]
}

interface KeyValue {
  key: string
  value: { value: string; [kind: string]: string | number | boolean }
}

function decoded(body: Buffer): readonly ReceivedSpan[] {
  const options = { longs: String, defaults: true, arrays: true, oneofs: true }
  const request = Request.toObject(Request.decode(body), options) as Encoded
  return request.resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans.flatMap((scope) =>
      scope.spans.map((span) => ({
        name: span.name,
        kind: span.kind === 2 ? 'server' : span.kind === 3 ? 'client' : 'other',
        traceId: hex(span.traceId),
        spanId: hex(span.spanId),
        parentId: hex(span.parentSpanId),
        traceState: span.traceState,
        attributes: attributesOf(span.attributes),
        resource: attributesOf(resource.attributes),
        failed: span.status?.code === 2,
        links: span.links.map(({ spanId }) => hex(spanId)),
        events: span.events.map(({ name, attributes }) => ({ name, attributes: attributesOf(attributes) })),
        beganAt: Number(span.startTimeUnixNano),
        endedAt: Number(span.endTimeUnixNano),
      })),
    ),
  )
}

function attributesOf(pairs: readonly KeyValue[]): Attributes {
  return Object.fromEntries(
    pairs.map(({ key, value }) => {
      const plain = value[value.value] ?? ''
      return [key, value.value === 'intValue' ? Number(plain) : plain]
    }),
  )
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}
