import { setTimeout as sleep } from 'node:timers/promises'
import type { MessageInitShape } from '@bufbuild/protobuf'
import { durationMs, timestampMs } from '@bufbuild/protobuf/wkt'
import { expect, it, onTestFinished } from 'vitest'
import { backgroundContext } from '../../src/context.ts'
import { sealRevocationCursor } from '../../src/crypto/revocation-cursor.ts'
import { epochMs } from '../../src/domain/ids.ts'
import { ClientType, GrantType } from '../../src/gen/qscope/v1/client_pb.ts'
import { ClientService } from '../../src/gen/qscope/v1/client_service_pb.ts'
import {
  type PollRevocationsRequestSchema,
  RevocationStart,
  TokenService,
} from '../../src/gen/qscope/v1/token_service_pb.ts'
import { onEveryBackend } from '../setup/backends.ts'
import { refusalOf, type Sent } from '../setup/client.ts'
import { freePort } from '../setup/free-port.ts'
import { startServer } from '../setup/server.ts'

const { mintToken, pollRevocations, revokeToken } = TokenService.method

type Wanted = Omit<MessageInitShape<typeof PollRevocationsRequestSchema>, '$typeName' | 'from'>
const NOW = { case: 'start', value: RevocationStart.NOW } as const
const HISTORY = { case: 'start', value: RevocationStart.HISTORY } as const
const after = (cursor: string) => ({ case: 'cursor', value: cursor }) as const
const seconds = (count: number) => ({ seconds: BigInt(count) })
const LONG = seconds(30)
/** Far more than the interval of a server, far less than a wait. */
const SOON_MS = 10_000

const NO_LOG = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }

const httpListen = `127.0.0.1:${await freePort()}`
const variables = { QSCOPE_HTTP_LISTEN: httpListen, QSCOPE_MAX_WAITING_POLLS_PER_CLIENT: '40' }

onEveryBackend(
  'PollRevocations',
  (server, database) => {
    const resourceServer = () => server.registerClient({ scopes: ['orders.read'] })
    type Client = Awaited<ReturnType<typeof resourceServer>>
    type From = typeof NOW | typeof HISTORY | ReturnType<typeof after>
    const poll = ({ client }: Pick<Client, 'client'>, from: From, wanted: Wanted = {}, sent: Sent = {}, on = server) =>
      on.call(pollRevocations, { client, from, ...wanted }, { deadlineMs: 60_000, ...sent })
    /** Ends a token that was minted for it. */
    const revokeOne = async ({ client }: Client, on = server) => {
      const { token } = await on.call(mintToken, { client })
      await on.call(revokeToken, { client, token: token?.accessToken ?? '' })
    }
    const startNow = async (client: Client) => (await poll(client, NOW)).nextCursor
    const post = (body: object, signal?: AbortSignal) =>
      fetch(`${server.httpUrl}/${TokenService.typeName}/PollRevocations`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'connect-timeout-ms': '60000' },
        body: JSON.stringify(body),
        ...(signal !== undefined && { signal }),
      })
    const heads = () => server.app.backend.reads.revocations.heads(backgroundContext('test', NO_LOG))
    /** As the server would have made it for this client. */
    const sealedFor = ({ clientId }: Client, over: { readonly database?: number; readonly ageMs?: number }) =>
      heads().then(
        ({ madeAt, now }) =>
          sealRevocationCursor(server.keyring, JSON.stringify([clientId, []]), {
            database: over.database ?? madeAt,
            madeAt: epochMs(now - (over.ageMs ?? 0)),
            position: new Map(),
          }) ?? '',
      )

    it('starts at once with an empty answer, whatever wait is requested', async () => {
      const client = await resourceServer()
      await revokeOne(client)
      const begun = performance.now()
      const answer = await poll(client, NOW, { wait: LONG })
      expect(answer).toMatchObject({ revocations: [], more: false, reset: false })
      expect(answer.nextCursor).toMatch(/^[A-Za-z0-9_-]{20,4096}$/)
      const tookMs = performance.now() - begun
      expect(tookMs).toBeLessThan(SOON_MS)
      expect(answer.covered && durationMs(answer.covered)).toBeLessThanOrEqual(tookMs)
    })

    it('returns later revocations once, with the time from which they may be forgotten', async () => {
      const client = await resourceServer()
      const from = await startNow(client)
      await revokeOne(client)
      const told = await poll(client, after(from))
      expect(told).toMatchObject({ more: false, reset: false })
      expect(told.revocations).toHaveLength(1)
      const [{ key, forgetTime } = {}] = told.revocations
      expect(key).toHaveLength(16)
      expect(forgetTime && timestampMs(forgetTime)).toBeGreaterThan(Date.now())
      expect(await poll(client, after(told.nextCursor))).toMatchObject({ revocations: [], more: false, reset: false })
      // The cursor before is as good as ever.
      expect((await poll(client, after(from))).revocations).toEqual(told.revocations)
    })

    it('waits for revocations of another instance, and covers the time until then', async () => {
      const client = await resourceServer()
      const other = await startServer(database.url, server.keyring, server.first)
      onTestFinished(() => other.stop())
      const from = await startNow(client)
      const sentAt = performance.now()
      const waiting = poll(client, after(from), { wait: LONG })
      await sleep(300)
      await revokeOne(client, other)
      const revokedAt = performance.now()
      const told = await waiting
      expect(told.revocations).toHaveLength(1)
      expect(performance.now() - revokedAt).toBeLessThan(SOON_MS)
      const covered = told.covered === undefined ? 0 : durationMs(told.covered)
      expect(covered).toBeGreaterThanOrEqual(250)
      expect(covered).toBeLessThanOrEqual(performance.now() - sentAt)
    })

    it('continues on an instance whose last query is older than the cursor', async () => {
      const client = await resourceServer()
      const other = await startServer(database.url, server.keyring, server.first)
      onTestFinished(() => other.stop())
      for (let n = 0; n < 2; n += 1) await revokeOne(client)
      await poll(client, NOW, {}, {}, other)
      await revokeOne(client)
      const { nextCursor } = await poll(client, NOW)
      const further = await poll(client, after(nextCursor), { pageSize: 1 }, {}, other)
      expect(further).toMatchObject({ revocations: [], more: false, reset: false })
    })

    it('answers at the end of the wait with a query that started then', async () => {
      const client = await resourceServer()
      const from = await startNow(client)
      const answer = await poll(client, after(from), { wait: seconds(1) })
      expect(answer).toMatchObject({ revocations: [], more: false, reset: false })
      expect(answer.covered && durationMs(answer.covered)).toBeGreaterThanOrEqual(1_000)
      expect(answer.covered && durationMs(answer.covered)).toBeLessThan(SOON_MS)
    })

    it('returns the history in pages, everything once', async () => {
      const client = await resourceServer()
      for (let n = 0; n < 7; n += 1) await revokeOne(client)
      const keys: string[] = []
      let from: From = HISTORY
      for (;;) {
        const page = await poll(client, from, { pageSize: 2 })
        keys.push(...page.revocations.map(({ key }) => Buffer.from(key).toString('hex')))
        from = after(page.nextCursor)
        expect(page.reset).toBe(false)
        if (!page.more) break
        expect(page.revocations).toHaveLength(2)
      }
      const whole = await poll(client, HISTORY)
      expect(whole.more).toBe(false)
      expect(keys).toEqual(whole.revocations.map(({ key }) => Buffer.from(key).toString('hex')))
      expect(keys.length).toBeGreaterThanOrEqual(7)
    })

    it('restarts the history for a forged cursor, or one of another client', async () => {
      const [client, other] = [await resourceServer(), await resourceServer()]
      await revokeOne(client)
      const history = (await poll(client, HISTORY)).revocations
      for (const cursor of ['x', 'A'.repeat(4_096), `${await startNow(client)}A`, await startNow(other)]) {
        const answer = await poll(client, after(cursor), { wait: LONG })
        expect(answer).toMatchObject({ reset: true, more: false })
        expect(answer.revocations).toEqual(history)
        expect((await poll(client, after(answer.nextCursor))).reset).toBe(false)
      }
    })

    it('restarts for a cursor of another or a restored database, and one that is too old', async () => {
      const client = await resourceServer()
      expect((await poll(client, after(await sealedFor(client, {})))).reset).toBe(false)
      const { madeAt: here } = await heads()
      for (const over of [{ database: here + 1 }, { ageMs: 3_600_000 }, { ageMs: -3_600_000 }]) {
        expect((await poll(client, after(await sealedFor(client, over)))).reset).toBe(true)
      }
    })

    it("restarts if the caller's access was reduced since the cursor, even during the wait", async () => {
      const audience = server.unique('https://api.example/')
      const client = await server.registerClient({ scopes: ['orders.read'], resourceAudiences: [audience] })
      const { clientId } = client
      const update = (resourceAudiences: readonly string[]) =>
        server.call(
          ClientService.method.updateClient,
          {
            client: { clientId, resourceAudiences: [...resourceAudiences] },
            updateMask: { paths: ['resource_audiences'] },
          },
          { bearer: server.admin.token },
        )
      const from = await startNow(client)
      const waiting = poll(client, after(from), { wait: seconds(2) })
      await sleep(300)
      await update([])
      expect((await waiting).reset).toBe(true)
      expect((await poll(client, after(from))).reset).toBe(true)
    })

    it('refuses a caller whose access ended during the wait', async () => {
      const client = await resourceServer()
      const from = await startNow(client)
      const waiting = refusalOf(poll(client, after(from), { wait: LONG }))
      await sleep(1_200)
      await server.call(
        ClientService.method.disableClient,
        { clientId: client.clientId },
        { bearer: server.admin.token },
      )
      expect(await waiting).toMatchObject({ reason: 'OAUTH_INVALID_CLIENT' })
    })

    it('admits only callers that may verify tokens', async () => {
      const from = NOW
      const bearerOf = async (scopes: string[]) => {
        const { client } = await server.registerClient({ scopes })
        return (await server.call(mintToken, { client })).token?.accessToken ?? ''
      }
      const reader = { bearer: await bearerOf(['qscope:tokens.read']) }
      const { nextCursor } = await server.call(pollRevocations, { from }, reader)
      // Another token that may see as much goes on where this one was.
      const another = { bearer: await bearerOf(['qscope:tokens.read']) }
      expect((await server.call(pollRevocations, { from: after(nextCursor) }, another)).reset).toBe(false)
      const mere = await refusalOf(server.call(pollRevocations, { from }, { bearer: await bearerOf(['orders.read']) }))
      expect(mere.reason).toBe('OAUTH_INSUFFICIENT_SCOPE')
      expect((await refusalOf(server.call(pollRevocations, { from }))).reason).toBe('OAUTH_INVALID_CLIENT')
      const { clientId } = await server.registerClient({
        type: ClientType.PUBLIC,
        grantTypes: [GrantType.DEVICE_CODE],
        scopes: ['orders.read'],
      })
      const anybody = await refusalOf(server.call(pollRevocations, { client: { clientId }, from }))
      expect(anybody.reason).toBe('OAUTH_UNAUTHORIZED_CLIENT')
    })

    it.each([
      ['neither start nor cursor', {}, 'from'],
      ['no start that there is', { from: { case: 'start', value: RevocationStart.UNSPECIFIED } }, 'start'],
      ['a cursor that is too long', { from: after('A'.repeat(4_097)) }, 'cursor'],
      ['a wait above 30 s', { from: NOW, wait: { seconds: 30n, nanos: 1 } }, 'wait'],
      ['a wait below 0', { from: NOW, wait: { seconds: -1n } }, 'wait'],
      ['a page above 1000', { from: NOW, pageSize: 1_001 }, 'page_size'],
    ] as const)('refuses %s', async (_what, request, field) => {
      const { client } = await resourceServer()
      const refused = await refusalOf(server.call(pollRevocations, { client, ...request }))
      expect(refused).toMatchObject({ reason: 'OAUTH_INVALID_REQUEST', violations: [field] })
    })

    it('queries the database once an interval for all waiting calls, and not at all without one', async () => {
      const client = await resourceServer()
      const from = await startNow(client)
      const { revocationFeed } = server.app
      await sleep(300)
      const idle = revocationFeed.queries
      await sleep(500)
      expect(revocationFeed.queries).toBe(idle)
      const waiting = Array.from({ length: 40 }, () => poll(client, after(from), { wait: seconds(3) }))
      await sleep(1_500)
      const { pools } = server.app.backend.load()
      expect(pools.read).toMatchObject({ waiting: 0 })
      expect(pools.read.used).toBeLessThanOrEqual(1)
      // Those who wait take no turns from others: this client's calls run meanwhile.
      const begun = performance.now()
      await Promise.all(Array.from({ length: 8 }, () => revokeOne(client)))
      const told = await Promise.all(waiting)
      expect(performance.now() - begun).toBeLessThan(SOON_MS)
      expect(told.every(({ revocations }) => revocations.length >= 1)).toBe(true)
      // 3 s at the most, at 90 ms each, the first and the last.
      expect(revocationFeed.queries - idle).toBeLessThanOrEqual(36)
    })

    it('limits the number of waiting calls, and frees their places', async () => {
      const client = await resourceServer()
      const from = await startNow(client)
      const { clientId, clientSecret } = client
      const gone = new AbortController()
      const waiting = Array.from({ length: 40 }, () =>
        post({ client: { clientId, clientSecret }, cursor: from, wait: '30s' }, gone.signal),
      )
      await expect.poll(() => server.app.pollQuota.waiting).toBe(40)
      const refused = await refusalOf(poll(client, after(from), { wait: LONG }))
      expect(refused.reason).toBe('LIMIT_EXCEEDED')
      expect(refused.details.quota?.violations[0]?.subject).toBe(`client:${client.clientId}`)
      expect(await poll(await resourceServer(), NOW)).toMatchObject({ more: false })
      gone.abort()
      expect((await Promise.allSettled(waiting)).every(({ status }) => status === 'rejected')).toBe(true)
      await expect.poll(() => server.app.pollQuota.waiting).toBe(0)
      expect(await poll(client, after(from))).toMatchObject({ more: false })
    })

    it('answers before the deadline of a call with a longer wait', async () => {
      const client = await resourceServer()
      const from = await startNow(client)
      const answer = await poll(client, after(from), { wait: LONG }, { deadlineMs: 2_000 })
      expect(answer).toMatchObject({ revocations: [], more: false })
    })

    it('is available as JSON on the HTTP port, only by POST, and not cached', async () => {
      const client = await resourceServer()
      const { clientId, clientSecret } = client
      const credentials = { client: { clientId, clientSecret } }
      const first = await post({ ...credentials, start: 'REVOCATION_START_NOW' })
      expect(first.headers.get('cache-control')).toBe('no-store')
      const { nextCursor } = (await first.json()) as { readonly nextCursor: string }
      await revokeOne(client)
      const told = (await (await post({ ...credentials, cursor: nextCursor, wait: '30s' })).json()) as {
        readonly revocations: readonly { readonly key: string; readonly forgetTime: string }[]
      }
      const overGrpc = await poll(client, after(nextCursor))
      expect(told.revocations.map(({ key }) => key)).toEqual(
        overGrpc.revocations.map(({ key }) => Buffer.from(key).toString('base64')),
      )
      const got = await fetch(
        `${server.httpUrl}/${TokenService.typeName}/PollRevocations?connect=v1&encoding=json&message=%7B%7D`,
      )
      expect(got.status).toBe(405)
    })

    it('answers waiting calls at once when the server stops', async () => {
      const client = await resourceServer()
      const other = await startServer(database.url, server.keyring, server.first)
      let stopped = false
      onTestFinished(async () => {
        if (!stopped) await other.stop()
      })
      const from = await startNow(client)
      const waiting = Array.from({ length: 5 }, () => poll(client, after(from), { wait: LONG }, {}, other))
      await expect.poll(() => other.app.pollQuota.waiting).toBe(5)
      await sleep(200)
      const begun = performance.now()
      stopped = true
      const stopping = other.stop()
      const answers = await Promise.all(waiting)
      expect(performance.now() - begun).toBeLessThan(SOON_MS)
      expect(answers.every(({ more, reset }) => !more && !reset)).toBe(true)
      await stopping
    })
  },
  { variables },
)
