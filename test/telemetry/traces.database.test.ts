import { randomBytes } from 'node:crypto'
import { afterAll, expect, it } from 'vitest'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { useEveryGrant } from '../attacks/every-grant.ts'
import { LIMITS_OFF } from '../attacks/limits-off.ts'
import { Needles } from '../attacks/needles.ts'
import { onEveryBackend } from '../setup/backends.ts'
import { suiteFolder } from '../setup/certificates.ts'
import { refusalOf } from '../setup/client.ts'
import { grantsOn } from '../setup/grants.ts'
import { trustedIssuers } from '../setup/trusted-issuers.ts'
import { type ReceivedSpan, startCollector } from './otlp-collector.ts'

/** In nanoseconds, the unit of spans. */
const MILLISECOND = 1_000_000

const collector = await startCollector()
afterAll(() => collector.stop())
const issuers = await trustedIssuers(suiteFolder())
const variables = {
  ...LIMITS_OFF,
  QSCOPE_TRUSTED_ISSUERS_FILE: issuers.file,
  QSCOPE_OTLP_ENDPOINT: collector.url,
  // Only the callers of these tests decide about sampling.
  QSCOPE_TRACE_RATIO: '0',
}
const PATIENCE = { timeout: 10_000, interval: 50 }
const MINT = 'qscope.v1.TokenService/MintToken'

/** The headers of a traced caller (W3C Trace Context). */
function callerTrace({ sampled = true } = {}) {
  const traceId = randomBytes(16).toString('hex')
  const spanId = randomBytes(8).toString('hex')
  return { traceId, spanId, metadata: { traceparent: `00-${traceId}-${spanId}-0${sampled ? 1 : 0}` } }
}

/** The spans of a trace, after the span of the call, which ends last, was exported. */
async function spansOf(traceId: string, calls = 1): Promise<readonly ReceivedSpan[]> {
  const found = () => collector.spans.filter((span) => span.traceId === traceId)
  await expect.poll(() => found().filter(({ kind }) => kind === 'server').length, PATIENCE).toBe(calls)
  return found()
}

function named(spans: readonly ReceivedSpan[], name: string): ReceivedSpan {
  const [span, ...others] = spans.filter((each) => each.name === name)
  if (span === undefined || others.length > 0) throw new Error(`not one ${name}: ${spans.map((each) => each.name)}`)
  return span
}

onEveryBackend(
  'traces',
  (server, database) => {
    const { mintToken, introspectToken, refreshToken } = TokenService.method
    const systems = { sqlite: 'sqlite', mysql: 'm', postgres: 'postgresql' }

    it('cover a call from the caller’s span to the database', async () => {
      const { client } = await server.registerClient({})
      const { traceId, spanId, metadata } = callerTrace()
      await server.call(
        mintToken,
        { client },
        { metadata: { ...metadata, tracestate: 'vendor=kept', 'x-ray-id': 'ray-1' } },
      )
      const spans = await spansOf(traceId)
      const call = named(spans, MINT)
      expect(call).toMatchObject({ kind: 'server', parentId: spanId, traceState: 'vendor=kept', failed: false })
      expect(call.attributes).toEqual({
        'rpc.system.name': 'grpc',
        'rpc.method': MINT,
        'rpc.response.status_code': 'OK',
        'qscope.ray_id': 'ray-1',
      })
      expect(call.resource).toMatchObject({ 'service.name': 'qscope', 'service.version': expect.stringMatching(/^\d/) })
      const inside = ['read batch clients', 'read batch client_secrets', 'append batch']
      expect(spans.map(({ name }) => name).toSorted()).toEqual([MINT, ...inside].toSorted())
      for (const name of inside) {
        const query = named(spans, name)
        expect(query).toMatchObject({ kind: 'client', parentId: call.spanId, failed: false })
        expect(query.attributes['db.system.name']).toMatch(systems[database.kind.dialect])
        expect(query.attributes['db.operation.batch.size']).toBe(1)
        // The SDK rounds the start of a span to milliseconds, and measures its end from there.
        expect(query.beganAt).toBeGreaterThanOrEqual(call.beganAt - MILLISECOND)
        expect(query.endedAt).toBeLessThanOrEqual(call.endedAt + MILLISECOND)
      }
      expect(collector.paths).toEqual(new Set(['POST /v1/traces']))
    })

    it('cover a call with a hostile trace state, without the state and without delay', async () => {
      const { client } = await server.registerClient({})
      const { traceId, spanId, metadata } = callerTrace()
      const hostile = { ...metadata, tracestate: 'eyJ'.repeat(20_000) }
      const used = process.threadCpuUsage()
      await server.call(mintToken, { client }, { metadata: hostile })
      // A quadratic search would block the event loop for 10 s.
      expect(process.threadCpuUsage(used).user / 1_000).toBeLessThan(2_000)
      expect(named(await spansOf(traceId), MINT)).toMatchObject({ parentId: spanId, traceState: '' })
    })

    it('are named in the call’s log line, and their id is the default ray id', async () => {
      const { client } = await server.registerClient({})
      const { traceId, metadata } = callerTrace()
      await server.call(mintToken, { client }, { metadata })
      const spans = await spansOf(traceId)
      expect(named(spans, MINT).attributes['qscope.ray_id']).toBe(traceId)
      expect(server.lines.filter((line) => line['msg'] === 'call' && line['traceId'] === traceId)).toHaveLength(1)
    })

    it('cover the transaction that decides a race', async () => {
      const grants = grantsOn(server)
      const web = await grants.webClient()
      const tokens = await grants.signIn(web)
      const { traceId, metadata } = callerTrace()
      await server.call(refreshToken, { client: web.client, refreshToken: tokens.refreshToken }, { metadata })
      const spans = await spansOf(traceId)
      const call = named(spans, 'qscope.v1.TokenService/RefreshToken')
      expect(named(spans, 'transaction')).toMatchObject({ kind: 'client', parentId: call.spanId, failed: false })
      expect(named(spans, 'read batch refresh_tokens').parentId).toBe(call.spanId)
    })

    it('link a shared batch and its calls in both directions', async () => {
      const { client } = await server.registerClient({})
      const { token } = await server.call(mintToken, { client })
      const callers = Array.from({ length: 24 }, () => callerTrace())
      await Promise.all(
        callers.map(({ metadata }) =>
          server.call(introspectToken, { client, token: token?.accessToken ?? '' }, { metadata }),
        ),
      )
      const traces = await Promise.all(callers.map(({ traceId }) => spansOf(traceId)))
      const all = traces.flat()
      const calls = all.filter(({ kind }) => kind === 'server')
      expect(calls).toHaveLength(24)
      const batches = all.filter(({ name }) => name === 'read batch access_tokens')
      expect(batches.length).toBeLessThan(24)
      const served = batches.flatMap(({ parentId, links }) => [parentId, ...links])
      expect(served.toSorted()).toEqual(calls.map(({ spanId }) => spanId).toSorted())
      for (const { spanId, links } of batches) {
        for (const sharer of links) expect(calls.find((call) => call.spanId === sharer)?.links).toContain(spanId)
      }
    })

    it('show a refusal with status and reason, not as a failure of the server', async () => {
      const { client } = await server.registerClient({})
      const wrong = { ...client, method: { case: 'clientSecret' as const, value: 'wrong' } }
      const { traceId, metadata } = callerTrace()
      await refusalOf(server.call(mintToken, { client: wrong }, { metadata }))
      const call = named(await spansOf(traceId), MINT)
      expect(call.failed).toBe(false)
      expect(call.attributes).toMatchObject({
        'rpc.response.status_code': 'UNAUTHENTICATED',
        'qscope.reason': 'oauth.invalid_client',
      })
    })

    it('exclude calls that the caller does not sample, and others at a ratio of 0', async () => {
      const { client } = await server.registerClient({})
      const ignored = callerTrace({ sampled: false })
      await server.call(mintToken, { client }, { metadata: ignored.metadata })
      await server.call(mintToken, { client }, { metadata: { 'x-ray-id': 'untraced' } })
      await server.call(mintToken, { client }, { metadata: { 'x-ray-id': 'broken', traceparent: '00-zz-zz-01' } })
      const last = callerTrace()
      await server.call(mintToken, { client }, { metadata: last.metadata })
      await spansOf(last.traceId)
      const rays = collector.spans.map(({ attributes }) => attributes['qscope.ray_id'])
      expect(rays).not.toContain(ignored.traceId)
      expect(rays).not.toContain('untraced')
      expect(rays).not.toContain('broken')
    })

    it('contain no secret of any call in any place', async () => {
      const needles = new Needles()
      const sent: { readonly traceId: string }[] = []
      const traced: typeof server = Object.create(server, {
        call: {
          value: (...[method, request, more = {}]: Parameters<typeof server.call>) => {
            const caller = callerTrace()
            sent.push(caller)
            return server.call(method, request, { ...more, metadata: { ...caller.metadata, ...more.metadata } })
          },
        },
      })
      await useEveryGrant(traced, issuers.ci, needles)
      const { client } = await server.registerClient({})
      const stray = needles.add('a token in tracestate', server.unknownToken())
      const last = callerTrace()
      const misplaced = { ...last.metadata, tracestate: `vendor=${stray}`, 'x-ray-id': stray }
      await server.call(mintToken, { client }, { metadata: misplaced })
      await spansOf(last.traceId)
      expect(sent.length).toBeGreaterThan(50)
      const exported = new Set(collector.spans.map(({ traceId }) => traceId))
      expect(sent.filter(({ traceId }) => exported.has(traceId)).length).toBeGreaterThan(50)
      expect(needles.size).toBeGreaterThan(20)
      for (const body of collector.bodies) expect(needles.foundIn(body.toString('latin1'))).toEqual([])
    })
  },
  { variables },
)
