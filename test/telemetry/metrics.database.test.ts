import { mkdirSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { registry } from '../../src/errors/registry.ts'
import { AuditService } from '../../src/gen/qscope/v1/audit_service_pb.ts'
import { GrantType } from '../../src/gen/qscope/v1/client_pb.ts'
import { ClientService } from '../../src/gen/qscope/v1/client_service_pb.ts'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { TrustService } from '../../src/gen/qscope/v1/trust_service_pb.ts'
import { reasonOf } from '../../src/rpc/rpc-status.ts'
import { expose } from '../../src/telemetry/metrics.ts'
import { useEveryGrant } from '../attacks/every-grant.ts'
import { LIMITS_OFF } from '../attacks/limits-off.ts'
import { Needles } from '../attacks/needles.ts'
import { anotherInstance } from '../setup/another-instance.ts'
import { inSeconds, signed } from '../setup/assertions.ts'
import { onEveryBackend } from '../setup/backends.ts'
import { suiteFolder } from '../setup/certificates.ts'
import { connect, refusalOf } from '../setup/client.ts'
import { grantsOn } from '../setup/grants.ts'
import { JWT } from '../setup/jwt.ts'
import { trustedIssuers } from '../setup/trusted-issuers.ts'
import { parseExposition } from './parse-exposition.ts'

const TOKENS = { service: TokenService.typeName }
const MINT = { ...TOKENS, method: 'MintToken' }
/** For a loaded machine. */
const PATIENCE = { timeout: 60_000, interval: 50 }
const issuers = await trustedIssuers(suiteFolder())
const variables = { ...LIMITS_OFF, QSCOPE_TRUSTED_ISSUERS_FILE: issuers.file }

onEveryBackend(
  'metrics',
  (server, database) => {
    const { mintToken, introspectToken } = TokenService.method
    const page = async () => parseExposition((await server.telemetry.metrics()).text)

    /** The increase of a metric during some work. */
    async function growth(work: () => Promise<unknown>) {
      const before = await page()
      await work()
      // A call is counted while its answer is sent, so the caller may have it before.
      await sleep(20)
      const after = await page()
      return (name: string, labels: Record<string, string> = {}) =>
        (after.value(name, labels) ?? 0) - (before.value(name, labels) ?? 0)
    }

    it('are valid for a scraper, each with its type', async () => {
      const { contentType, text } = await server.telemetry.metrics()
      expect(contentType).toMatch(/^text\/plain; version=0\.0\.4/)
      const { series, types } = parseExposition(text)
      const undeclared = series.filter(
        ({ name }) => !types.has(name.replace(/_(bucket|sum|count)$/, '')) && !types.has(name),
      )
      expect(undeclared).toEqual([])
    })

    it('count and time calls by method and status', async () => {
      const { client } = await server.registerClient({})
      const wrong = { ...client, method: { case: 'clientSecret' as const, value: 'wrong' } }
      const grew = await growth(async () => {
        for (let i = 0; i < 3; i += 1) await server.call(mintToken, { client })
        for (let i = 0; i < 2; i += 1) await refusalOf(server.call(mintToken, { client: wrong }))
      })
      expect(grew('qscope_calls_total', { ...MINT, code: 'OK' })).toBe(3)
      expect(grew('qscope_calls_total', { ...MINT, code: 'UNAUTHENTICATED' })).toBe(2)
      expect(grew('qscope_call_duration_seconds_count', MINT)).toBe(5)
      expect(grew('qscope_call_duration_seconds_bucket', { ...MINT, le: '+Inf' })).toBe(5)
      expect(grew('qscope_call_duration_seconds_sum', MINT)).toBeGreaterThan(0)
      expect(grew('qscope_failures_total', { reason: 'OAUTH_INVALID_CLIENT' })).toBe(2)
    })

    it('count the durable tokens of each grant', async () => {
      const needles = new Needles()
      const grew = await growth(async () => {
        await useEveryGrant(server, issuers.ci, needles)
      })
      const issued = new Map<string, number>()
      for (const { labels } of (await page()).series.filter(({ name }) => name === 'qscope_tokens_issued_total')) {
        issued.set(labels['grant'] ?? '', grew('qscope_tokens_issued_total', labels))
      }
      const [{ count } = { count: 0 }] = await database.query('select count(*) as count from oauth_access_tokens')
      expect([...issued.keys()].toSorted()).toEqual([
        'authorization_code',
        'client_credentials',
        'device_code',
        'jwt_bearer',
        'refresh_token',
        'token_exchange',
      ])
      for (const [grant, tokens] of issued) expect(tokens, grant).toBeGreaterThan(0)
      const all = (await page()).series.filter(({ name }) => name === 'qscope_tokens_issued_total')
      expect(all.reduce((sum, { value }) => sum + value, 0)).toBe(Number(count))
    })

    it('count the tokens of a batch, and a repeated answer to a refresh only once', async () => {
      const grants = grantsOn(server)
      const { client } = await server.registerClient({ scopes: ['read'] })
      const web = await grants.webClient({ config: { refreshTokenReplayWindow: { seconds: 10n } } })
      const tokens = await grants.signIn(web)
      const grew = await growth(async () => {
        const requests = [{ scopes: ['read'] }, { scopes: ['write'] }, { scopes: ['read'] }]
        await server.call(TokenService.method.batchMintTokens, { client, requests })
        for (let i = 0; i < 3; i += 1) await grants.refresh(web, tokens.refreshToken)
      })
      expect(grew('qscope_tokens_issued_total', { grant: 'client_credentials' })).toBe(2)
      expect(grew('qscope_tokens_issued_total', { grant: 'refresh_token' })).toBe(1)
    })

    it('show the sizes of batches and commits, and their waiting times', async () => {
      const { client } = await server.registerClient({})
      const grew = await growth(async () => {
        const minted = await Promise.all(Array.from({ length: 40 }, () => server.call(mintToken, { client })))
        await Promise.all(
          minted.map(({ token }) => server.call(introspectToken, { client, token: token?.accessToken ?? '' })),
        )
      })
      const units = grew('qscope_append_batch_size_sum')
      const batches = grew('qscope_append_batch_size_count')
      expect(units).toBe(40)
      expect(batches).toBeGreaterThan(0)
      expect(batches).toBeLessThan(40)
      expect(grew('qscope_append_batch_wait_seconds_count')).toBe(batches)
      expect(grew('qscope_append_batch_duration_seconds_count')).toBe(batches)
      const lookUp = { look_up: 'access_tokens' }
      expect(grew('qscope_read_batch_size_sum', lookUp)).toBe(40)
      expect(grew('qscope_read_batch_wait_seconds_count', lookUp)).toBe(grew('qscope_read_batch_size_count', lookUp))
    })

    it('show running calls', async () => {
      const grants = grantsOn(server)
      const device = await grants.deviceClient()
      const started = await grants.startDevice(device)
      const watch = grants.watchDevice(device, started)
      await expect
        .poll(async () => (await page()).value('qscope_calls_in_flight', { method: 'WatchDeviceAuthorization' }))
        .toBe(1)
      watch.cancel()
      await expect
        .poll(async () => (await page()).value('qscope_calls_in_flight', { method: 'WatchDeviceAuthorization' }))
        .toBe(0)
      expect(
        (await page()).value('qscope_calls_total', { method: 'WatchDeviceAuthorization', code: 'CANCELLED' }),
      ).toBe(1)
    })

    it('show database connections, build information, health, and the purge', async () => {
      await server.app.purge.round()
      const now = await page()
      for (const pool of ['read', 'append', 'transaction']) {
        expect(now.value('qscope_database_connections', { pool }), pool).toBeGreaterThanOrEqual(1)
        // Background work may still hold a connection.
        for (const gauge of ['qscope_database_connections_used', 'qscope_database_connections_waiting']) {
          await expect.poll(async () => (await page()).value(gauge, { pool })).toBe(0)
        }
      }
      expect(now.value('qscope_build_info', { node_version: process.version })).toBe(1)
      expect(now.value('qscope_serving')).toBe(1)
      expect(now.value('qscope_purge_rounds_total')).toBeGreaterThanOrEqual(1)
      expect(now.value('qscope_purge_backlog_rows', { kind: 'access_tokens' })).toBe(0)
      expect(now.value('nodejs_eventloop_lag_p99_seconds')).toBeGreaterThan(0)
      expect(now.value('process_resident_memory_bytes')).toBeGreaterThan(1_000_000)
    })

    it('show the followers of the audit log, and their lag', async () => {
      const folder = mkdtempSync(join(tmpdir(), 'qscope-audit-'))
      // An invalid path: nothing can be delivered until the folder exists.
      const path = join(folder, 'later', 'audit.jsonl')
      const { other } = await anotherInstance(server, database, { QSCOPE_AUDIT_LOG_FILE: path })
      const of = { follower: 'audit-file' }
      const own = async () => parseExposition((await other.telemetry.metrics()).text)
      const value = async (name: string) => (await own()).value(name, of)
      expect(await value('qscope_audit_follower_active')).toBe(0)
      expect(await value('qscope_audit_delivery_lag_seconds')).toBeUndefined()
      for (const follower of other.app.auditFollowers) follower.start()
      await expect.poll(() => value('qscope_audit_delivery_lag_seconds'), PATIENCE).toBeDefined()
      expect(await value('qscope_audit_follower_active')).toBe(1)

      const { client } = await server.registerClient({})
      for (let i = 0; i < 3; i += 1) await server.call(mintToken, { client })
      await expect.poll(() => value('qscope_audit_delivery_failures_total'), PATIENCE).toBeGreaterThan(0)
      expect(await value('qscope_audit_delivered_events_total')).toBe(0)
      const AHEAD_S = 1_800
      other.clock.advance(AHEAD_S * 1_000)
      expect(await value('qscope_audit_delivery_lag_seconds')).toBeGreaterThanOrEqual(AHEAD_S)
      mkdirSync(join(folder, 'later'))
      await expect.poll(() => value('qscope_audit_delivered_events_total'), PATIENCE).toBeGreaterThanOrEqual(4)
      await expect.poll(() => value('qscope_audit_delivery_lag_seconds'), PATIENCE).toBeLessThan(AHEAD_S / 2)

      const watching = other.stream(AuditService.method.watchAuditEvents, {}, { bearer: server.admin.token })
      await expect.poll(async () => (await own()).value('qscope_audit_watches'), PATIENCE).toBe(1)
      watching.cancel()
      await expect.poll(async () => (await own()).value('qscope_audit_watches'), PATIENCE).toBe(0)
      expect((await own()).value('qscope_audit_queries_total')).toBeGreaterThan(0)
    })

    it('count reads of issuers’ keys and show their age, without issuer and URL', async () => {
      const name = server.unique('platform-')
      const issuer = `https://${name}.example`
      const keys = { case: 'jwksUri' as const, value: `https://127.0.0.1:1/${name}` }
      const bearer = { bearer: server.admin.token }
      await server.call(TrustService.method.createTrustedIssuer, { trustedIssuer: { issuer, keys } }, bearer)
      const claims = { iss: issuer, sub: name, aud: server.issuer, exp: inSeconds(3_600) }
      const assertion = await signed(issuers.ci, claims)
      const ask = () => refusalOf(server.call(TokenService.method.exchangeAssertion, { assertion }))
      const source = { source: 'jwks_uri' }
      const grew = await growth(async () => expect((await ask()).reason).toBe('OAUTH_TEMPORARILY_UNAVAILABLE'))
      expect(grew('qscope_key_set_reads_total', { ...source, outcome: 'unavailable' })).toBe(1)
      expect(grew('qscope_key_set_reads_total', { ...source, outcome: 'ok' })).toBe(0)
      expect(grew('qscope_key_set_read_duration_seconds_count', source)).toBe(1)
      const AHEAD_S = 301
      server.clock.advance(AHEAD_S * 1_000)
      await ask()
      expect((await page()).value('qscope_key_set_age_seconds', source)).toBeGreaterThanOrEqual(AHEAD_S)
      expect((await server.telemetry.metrics()).text).not.toContain(name)
      // Unused keys are not read, so that their age is not exported.
      server.clock.advance(61_000)
      expect((await page()).value('qscope_key_set_age_seconds', source)).toBeUndefined()
    })

    it('show the age of the signing keys', async () => {
      const { client } = await server.registerClient({ config: JWT })
      await server.call(mintToken, { client })
      server.clock.advance(60_000)
      const active = { algorithm: 'ES256', state: 'active' }
      expect((await page()).value('qscope_signing_key_age_seconds', active)).toBeGreaterThan(0)
    })

    it('are summed over several processes', async () => {
      const one = await server.telemetry.snapshot()
      // Copies them, as messages between worker processes do.
      const other: typeof one = JSON.parse(JSON.stringify(one))
      const alone = parseExposition((await expose([one])).text)
      const together = parseExposition((await expose([one, other])).text)
      const ok = { ...MINT, code: 'OK' }
      expect(together.value('qscope_calls_total', ok)).toBe(2 * (alone.value('qscope_calls_total', ok) ?? 0))
      expect(together.value('qscope_call_duration_seconds_count', MINT)).toBe(
        2 * (alone.value('qscope_call_duration_seconds_count', MINT) ?? 0),
      )
      expect(together.value('qscope_serving')).toBe(1)
      expect(together.value('qscope_build_info')).toBe(1)
      expect(together.series).toHaveLength(alone.series.length)
    })

    describe('of calls with arbitrary values', () => {
      it('do not create series', async () => {
        const { client } = await server.registerClient({ grantTypes: [GrantType.CLIENT_CREDENTIALS] })
        const hostile = async () => {
          const connection = connect(server.address, { ownSocket: true })
          try {
            for (let i = 0; i < 60; i += 1) {
              const name = server.unique('hostile-')
              const sent = { metadata: { 'x-ray-id': name, traceparent: name, 'user-agent': name }, bearer: name }
              const unknown = { client: { clientId: name, method: { case: 'clientSecret' as const, value: name } } }
              const renamed = { ...mintToken, name, parent: mintToken.parent }
              await Promise.all([
                refusalOf(connection.call(renamed, { client })),
                refusalOf(connection.call(mintToken, unknown, { metadata: { 'x-ray-id': name } })),
                refusalOf(connection.call(mintToken, { client, scopes: [name] })),
                refusalOf(connection.call(mintToken, { client, audiences: [`https://${name}`] })),
                connection.call(introspectToken, { client, token: name }),
                refusalOf(connection.call(ClientService.method.getClient, { clientId: name }, sent)),
              ])
            }
          } finally {
            connection.close()
          }
        }
        await hostile()
        const before = await page()
        await hostile()
        const after = await page()
        // Series of Node.js change with its timers and sockets.
        const own = ({ series }: typeof before) => series.filter(({ name }) => name.startsWith('qscope_')).length
        expect(own(after)).toBe(own(before))
        expect((await server.telemetry.metrics()).text).not.toContain('hostile-')
      })

      it('use only labels known before the first call', async () => {
        const { series } = await page()
        const methods = new Set(server.app.pipeline.routes.map(({ method }) => method.name))
        const reasons = new Set((Object.keys(registry) as (keyof typeof registry)[]).map(reasonOf))
        for (const { name, labels } of series.filter((each) => each.name.startsWith('qscope_'))) {
          if (labels['method'] !== undefined) expect(methods, name).toContain(labels['method'])
          if (labels['reason'] !== undefined) expect(reasons, name).toContain(labels['reason'])
        }
        expect(series.filter(({ name }) => name === 'qscope_failures_total')).toHaveLength(reasons.size)
      })
    })
  },
  { variables },
)
