import { once } from 'node:events'
import { createServer } from 'node:net'
import { ROOT_CONTEXT } from '@opentelemetry/api'
import { type ExportResult, ExportResultCode } from '@opentelemetry/core'
import { type ReadableSpan, type SpanExporter, TracerProvider } from '@opentelemetry/sdk-trace'
import { describe, expect, it, onTestFinished } from 'vitest'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { BoundedExport } from '../../src/telemetry/open-tracer.ts'
import { TraceMetrics } from '../../src/telemetry/tracer.ts'
import { qscope, temporaryDirectory } from '../e2e/process.ts'
import { connect } from '../setup/client.ts'
import { sqliteFiles } from '../setup/fresh-database.ts'
import { startServer } from '../setup/server.ts'
import { quiet } from '../stores/given.ts'
import { type Behaviour, startCollector } from './otlp-collector.ts'
import { parseExposition } from './parse-exposition.ts'

const { mintToken } = TokenService.method
const PATIENCE = { timeout: 10_000, interval: 50 }

async function collectorThat(behaviour: Behaviour) {
  const collector = await startCollector(behaviour)
  onTestFinished(() => collector.stop())
  return collector
}

async function serverWith(endpoint: string, more: Readonly<Record<string, string>> = {}) {
  const database = await sqliteFiles.create()
  const server = await startServer(database.url, undefined, undefined, { QSCOPE_OTLP_ENDPOINT: endpoint, ...more })
  onTestFinished(async () => {
    await server.stop()
    await database.drop()
  })
  const outcome = async (name: string) =>
    parseExposition((await server.telemetry.metrics()).text).value('qscope_trace_spans_total', { outcome: name }) ?? 0
  return { server, outcome }
}

/** An address that is no longer in use. */
async function deadEndpoint(): Promise<string> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const address = probe.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  probe.close()
  await once(probe, 'close')
  return `http://127.0.0.1:${port}`
}

describe('calls', () => {
  it('are sampled at the ratio without a caller’s trace, and counted when they are exported', async () => {
    const collector = await collectorThat('take')
    const { server, outcome } = await serverWith(`${collector.url}/`, { QSCOPE_TRACE_RATIO: '1' })
    const { client } = await server.registerClient({})
    await server.call(mintToken, { client }, { metadata: { 'x-ray-id': 'mine' } })
    const mine = () => collector.spans.filter(({ attributes }) => attributes['qscope.ray_id'] === 'mine')
    await expect.poll(() => mine().length, PATIENCE).toBe(1)
    expect(mine()[0]).toMatchObject({ kind: 'server', parentId: '' })
    await expect.poll(() => outcome('exported'), PATIENCE).toBe(collector.spans.length)
  })

  it.each(['refuse', 'say nothing'] as const)('continue if the collector would %s', async (behaviour) => {
    const collector = await collectorThat(behaviour)
    const { server, outcome } = await serverWith(collector.url)
    const { client } = await server.registerClient({})
    for (let i = 0; i < 50; i += 1) await server.call(mintToken, { client })
    if (behaviour === 'refuse') {
      await expect.poll(() => outcome('failed'), PATIENCE).toBeGreaterThan(100)
      expect(server.lines.filter((line) => String(line['msg']).startsWith('trace export fails'))).toHaveLength(1)
    }
    expect(await outcome('exported')).toBe(0)
  })

  it('continue without a collector', async () => {
    const { server, outcome } = await serverWith(await deadEndpoint())
    const { client } = await server.registerClient({})
    for (let i = 0; i < 50; i += 1) await server.call(mintToken, { client })
    expect(await outcome('exported')).toBe(0)
  })
})

describe('spans that wait for the collector', () => {
  it('are limited: further ones are dropped and counted, and accepted again after delivery', async () => {
    const held: { readonly spans: ReadableSpan[]; readonly done: (result: ExportResult) => void }[] = []
    const slow: SpanExporter = {
      export: (spans, done) => void held.push({ spans, done }),
      shutdown: async () => undefined,
    }
    const metrics = new TraceMetrics()
    const provider = new TracerProvider({ spanProcessors: [new BoundedExport(slow, metrics, quiet)] })
    const tracer = provider.getTracer('test')
    const endMany = (count: number) => {
      for (let i = 0; i < count; i += 1) tracer.startSpan('one', {}, ROOT_CONTEXT).end()
    }
    endMany(10_000)
    expect(metrics.dropped.value).toBe(10_000 - 4_096)
    await expect.poll(() => held.length, PATIENCE).toBeGreaterThan(0)
    const [first] = held.splice(0)
    first?.done({ code: ExportResultCode.SUCCESS })
    expect(metrics.exported.value).toBe(first?.spans.length)
    const before = metrics.dropped.value
    endMany(metrics.exported.value)
    expect(metrics.dropped.value).toBe(before)
    endMany(1)
    expect(metrics.dropped.value).toBe(before + 1)
  })
})

describe('a server process', () => {
  const LISTEN = { QSCOPE_GRPC_LISTEN: '127.0.0.1:0' }

  async function started(env: Record<string, string>) {
    const server = qscope(await temporaryDirectory(), ['serve'], { ...LISTEN, ...env })
    const [, address = ''] = await server.until(/listens on (\S+)/)
    const secret = /client secret {2}(\S+)/.exec(server.stdout)?.[1] ?? ''
    const client = { clientId: 'admin', method: { case: 'clientSecret' as const, value: secret } }
    const mint = async (rayId: string) => {
      const connection = connect(address, { ownSocket: true })
      await connection.call(mintToken, { client }, { metadata: { 'x-ray-id': rayId } })
      connection.close()
    }
    return { server, mint }
  }

  it('sends the last spans when it is stopped, with the resource and headers of the standard variables', async () => {
    const collector = await collectorThat('take')
    const { server, mint } = await started({
      QSCOPE_OTLP_ENDPOINT: collector.url,
      OTEL_SERVICE_NAME: 'tokens',
      OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=test',
      OTEL_EXPORTER_OTLP_HEADERS: 'x-tenant=orders',
    })
    await mint('last')
    server.child.kill('SIGTERM')
    expect(await server.ended).toEqual({ code: 0, signal: null })
    const last = collector.spans.find(({ attributes }) => attributes['qscope.ray_id'] === 'last')
    expect(last?.resource).toMatchObject({ 'service.name': 'tokens', 'deployment.environment.name': 'test' })
    expect(collector.headers.at(-1)).toMatchObject({ 'x-tenant': 'orders' })
  })

  it('stops although the collector does not answer', async () => {
    const collector = await collectorThat('say nothing')
    const { server, mint } = await started({ QSCOPE_OTLP_ENDPOINT: collector.url })
    await mint('lost')
    const asked = Date.now()
    server.child.kill('SIGTERM')
    expect(await server.ended).toEqual({ code: 0, signal: null })
    // The default grace period.
    expect(Date.now() - asked).toBeLessThan(10_000)
  })

  it('loads nothing of the SDK while traces are off', async () => {
    const hook = `import{registerHooks}from'node:module';registerHooks({load(url,context,next){if(url.includes('@opentelemetry/sdk-trace'))process.stderr.write('LOADED '+url+'\\n');return next(url,context)}})`
    const NODE_OPTIONS = `--import=data:text/javascript;base64,${Buffer.from(hook).toString('base64')}`
    const collector = await collectorThat('take')
    const off = await started({ NODE_OPTIONS })
    await off.mint('untraced')
    expect(off.server.stderr).not.toContain('LOADED')
    const on = await started({ NODE_OPTIONS, QSCOPE_OTLP_ENDPOINT: collector.url })
    expect(on.server.stderr).toContain('LOADED')
  })
})
