import { expect, it, onTestFinished } from 'vitest'
import type { AuditEvent } from '../../src/gen/qscope/v1/audit_service_pb.ts'
import { AuditService } from '../../src/gen/qscope/v1/audit_service_pb.ts'
import { ClientService } from '../../src/gen/qscope/v1/client_service_pb.ts'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { anotherInstance } from '../setup/another-instance.ts'
import { onEveryBackend } from '../setup/backends.ts'
import { refusalOf } from '../setup/client.ts'
import { startServer, type TestServer } from '../setup/server.ts'

const { watchAuditEvents } = AuditService.method
const { mintToken, revokeTokens } = TokenService.method
const { disableClient } = ClientService.method
/** For a loaded machine. */
const PATIENCE = { timeout: 60_000, interval: 50 }
const LONG = 120_000

onEveryBackend('WatchAuditEvents', (server, database) => {
  const bearer = () => ({ bearer: server.admin.token, deadlineMs: LONG })
  type Request = Parameters<
    typeof server.stream<(typeof watchAuditEvents)['input'], (typeof watchAuditEvents)['output']>
  >[1]
  /** Watches until the test is over. */
  function watch(request: Request = {}, at: Pick<TestServer, 'stream'> = server) {
    const watching = at.stream(watchAuditEvents, request, bearer())
    onTestFinished(() => watching.cancel())
    const events = () => watching.items.flatMap(({ event }) => event ?? [])
    return { ...watching, events, cursor: () => watching.items.at(-1)?.cursor ?? '' }
  }
  async function started(request: Request = {}, at?: Pick<TestServer, 'stream'>) {
    const watching = watch(request, at)
    await expect.poll(() => watching.items.length, PATIENCE).toBeGreaterThan(0)
    return watching
  }
  const idsOf = (events: readonly AuditEvent[]) => events.map(({ eventId }) => eventId)
  const mintFor = async (
    client: Parameters<typeof server.call>[1],
    count: number,
    at: Pick<TestServer, 'call'> = server,
  ) => {
    for (let each = 0; each < count; each += 1) await at.call(mintToken, client)
  }
  const secondInstance = () => anotherInstance(server, database)

  it('starts with a cursor, and sends events committed from then on', async () => {
    const { client, clientId } = await server.registerClient({ scopes: ['orders'] })
    const watching = await started({ clientId })
    expect(watching.items[0]).toMatchObject({ cursor: expect.stringMatching(/^[\w-]+$/) })
    expect(watching.items[0]?.event).toBeUndefined()
    await mintFor({ client }, 3)
    await expect.poll(() => watching.events().length, PATIENCE).toBe(3)
    const listed = await server.auditEvents({ clientId, eventTypes: ['token.issued'] })
    expect(watching.events()).toEqual(listed.toReversed())
  })

  it('applies each filter', async () => {
    const { client, clientId } = await server.registerClient({ scopes: ['orders'] })
    const byType = await started({ eventTypes: ['client.disabled'] })
    const byClient = await started({ clientId })
    const ofNobody = await started({ rayId: 'nobody' })
    await mintFor({ client }, 2)
    await server.call(disableClient, { clientId }, bearer())
    await expect.poll(() => byClient.events().length, PATIENCE).toBe(3)
    await expect.poll(() => byType.events().filter((event) => event.clientId === clientId).length, PATIENCE).toBe(1)
    expect(byClient.events().map(({ eventType }) => eventType)).toEqual([
      'token.issued',
      'token.issued',
      'client.disabled',
    ])
    expect(ofNobody.events()).toEqual([])
    const unknown = await refusalOf(watch({ eventTypes: ['no.such'] }).ended)
    expect(unknown).toMatchObject({ reason: 'OAUTH_INVALID_REQUEST', violations: ['event_types[0]'] })
  })

  it('continues after any cursor, also on another instance, without gaps and duplicates', async () => {
    const { client, clientId } = await server.registerClient({ scopes: ['orders'] })
    const { other } = await secondInstance()
    const watching = await started({ clientId })
    await Promise.all([mintFor({ client }, 10), mintFor({ client }, 10, other)])
    await expect.poll(() => watching.events().length, PATIENCE).toBe(20)
    watching.cancel()
    await Promise.all([mintFor({ client }, 5), mintFor({ client }, 5, other)])
    for (const at of [0, 7, 13, 20]) {
      // The first one has a cursor alone.
      const item = at === 0 ? watching.items[0] : watching.items.filter(({ event }) => event !== undefined)[at - 1]
      const resumed = watch({ clientId, cursor: item?.cursor ?? '' }, at % 2 === 0 ? other : server)
      await expect.poll(() => resumed.events().length, PATIENCE).toBe(30 - at)
      const seen = [...idsOf(watching.events().slice(0, at)), ...idsOf(resumed.events())]
      expect(new Set(seen).size).toBe(30)
    }
  })

  it('misses and repeats no events of concurrent writers on two instances', async () => {
    const { client, clientId } = await server.registerClient({ scopes: ['orders'] })
    const { other } = await secondInstance()
    const watchers = [await started({ clientId }), await started({ clientId }, other)]
    const cut = await started({ clientId })
    const writers = Array.from({ length: 16 }, (_, index) => mintFor({ client }, 25, index % 2 === 0 ? server : other))
    // One that is cut off while events come goes on from where it was.
    await expect.poll(() => cut.events().length, PATIENCE).toBeGreaterThan(20)
    const [before, cursor] = [idsOf(cut.events()), cut.cursor()]
    cut.cancel()
    const resumed = await started({ clientId, cursor }, other)
    await Promise.all(writers)
    const committed = new Set(idsOf(await server.auditEvents({ clientId, eventTypes: ['token.issued'] })))
    expect(committed.size).toBe(400)
    for (const { events } of watchers) {
      await expect.poll(() => events().length, PATIENCE).toBe(400)
      expect(new Set(idsOf(events()))).toEqual(committed)
    }
    await expect.poll(() => before.length + resumed.events().length, PATIENCE).toBe(400)
    expect(new Set([...before, ...idsOf(resumed.events())])).toEqual(committed)
  })

  it('queries the database once an interval for all watches, and not at all without a watch', async () => {
    const { auditFeed } = server.app
    await expect.poll(() => server.app.auditWatches.open, PATIENCE).toBe(0)
    const idle = auditFeed.queries
    const watching = await Promise.all(Array.from({ length: 20 }, () => started()))
    const { client } = await server.registerClient({ scopes: ['orders'] })
    await mintFor({ client }, 1)
    await expect
      .poll(
        () => watching.every(({ events }) => events().some(({ eventType }) => eventType === 'token.issued')),
        PATIENCE,
      )
      .toBe(true)
    const begun = { queries: auditFeed.queries, at: performance.now() }
    await expect.poll(() => auditFeed.queries - begun.queries, PATIENCE).toBeGreaterThanOrEqual(5)
    // 200 ms lie between two queries, for all 20 together.
    const most = (performance.now() - begun.at) / 200 + 2
    expect(auditFeed.queries - begun.queries).toBeLessThanOrEqual(most)
    for (const each of watching) each.cancel()
    await expect.poll(() => server.app.auditWatches.open, PATIENCE).toBe(0)
    expect(auditFeed.queries).toBeGreaterThan(idle)
  })

  it('limits the number of watches, and frees their places', async () => {
    const { other } = await secondInstance()
    const few = await startServer(database.url, server.keyring, server.first, { QSCOPE_MAX_AUDIT_WATCHES: '4' })
    onTestFinished(() => few.stop())
    const two = await Promise.all([started({}, few), started({}, few)])
    const refused = await refusalOf(watch({}, few).ended)
    expect(refused).toMatchObject({ reason: 'LIMIT_EXCEEDED' })
    expect(refused.details.quota?.violations[0]?.subject).toBe(`client:${server.admin.clientId}`)
    two[0].cancel()
    await expect.poll(() => few.app.auditWatches.open, PATIENCE).toBe(1)
    await started({}, few)
    await started({}, other)
  })

  it('ends for a bearer whose token is revoked', async () => {
    const { client, clientId } = await server.registerClient({ scopes: ['qscope:audit.read'] })
    const token = (await server.call(mintToken, { client })).token?.accessToken ?? ''
    const watching = server.stream(watchAuditEvents, {}, { bearer: token, deadlineMs: LONG })
    await expect.poll(() => watching.items.length, PATIENCE).toBeGreaterThan(0)
    await server.call(revokeTokens, { target: { case: 'clientId', value: clientId } }, bearer())
    expect(await refusalOf(watching.ended)).toMatchObject({ reason: 'OAUTH_INVALID_TOKEN' })
  })

  it('ends with a retryable status when the server stops, and continues elsewhere without a gap', async () => {
    const { client, clientId } = await server.registerClient({ scopes: ['orders'] })
    const { other, stop } = await secondInstance()
    const watching = await started({ clientId }, other)
    await mintFor({ client }, 3)
    await expect.poll(() => watching.events().length, PATIENCE).toBe(3)
    const stopping = stop()
    const ended = await refusalOf(watching.ended)
    expect(ended).toMatchObject({ status: 'UNAVAILABLE', reason: 'OAUTH_TEMPORARILY_UNAVAILABLE' })
    await stopping
    await mintFor({ client }, 2)
    const resumed = await started({ clientId, cursor: watching.cursor() })
    await expect.poll(() => resumed.events().length, PATIENCE).toBe(2)
    expect(new Set([...idsOf(watching.events()), ...idsOf(resumed.events())]).size).toBe(5)
  })

  it('refuses a cursor that it did not issue', async () => {
    for (const cursor of ['x', 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA']) {
      const refused = await refusalOf(watch({ cursor }).ended)
      expect(refused).toMatchObject({ reason: 'OAUTH_INVALID_REQUEST', violations: ['cursor'] })
    }
  })
})
