import { appendFileSync, existsSync, mkdtempSync, readFileSync, renameSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { AuditFollower, type AuditProjection } from '../../src/app/jobs/audit-follower.ts'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { anotherInstance } from '../setup/another-instance.ts'
import { onEveryBackend } from '../setup/backends.ts'
import type { TestServer } from '../setup/server.ts'
import { startLogReceiver } from '../telemetry/otlp-log-receiver.ts'

const { mintToken } = TokenService.method
/** For a loaded machine. */
const PATIENCE = { timeout: 90_000, interval: 50 }

onEveryBackend('audit events are delivered', (server, database) => {
  const instance = (variables: Record<string, string>) => anotherInstance(server, database, variables)
  const follow = ({ app }: TestServer) => {
    for (const follower of app.auditFollowers) follower.start()
  }
  /** Resolves when whoever begins to follow has its place: what is committed from then on is delivered. */
  const begun = async (name: string) => {
    await expect
      .poll(
        async () => (await database.query('select name from oauth_audit_followers')).map((row) => row['name']),
        PATIENCE,
      )
      .toContain(name)
  }
  const issuedTo = async (clientId: string) =>
    (await server.auditEvents({ clientId, eventTypes: ['token.issued'] })).map(({ eventId }) => eventId)
  const mint = async (client: object, count: number) => {
    for (let each = 0; each < count; each += 1) await server.call(mintToken, { client })
  }
  const linesOf = (path: string) =>
    existsSync(path)
      ? readFileSync(path, 'utf8')
          .split('\n')
          .filter((line) => line.startsWith('{') && line.endsWith('}'))
          .map((line) => JSON.parse(line))
      : []

  it('to a file as lines of JSON, from the last position on, each once without failures', async () => {
    const path = join(mkdtempSync(join(tmpdir(), 'qscope-audit-')), 'audit.jsonl')
    const { client, clientId } = await server.registerClient({ scopes: ['orders'] })
    const { other, stop } = await instance({ QSCOPE_AUDIT_LOG_FILE: path })
    follow(other)
    await begun('audit-file')
    await mint({ ...client }, 5)
    const own = () => linesOf(path).filter((line) => line.clientId === clientId)
    await expect.poll(() => own().length, PATIENCE).toBe(5)
    expect(own()[0]).toMatchObject({ eventType: 'token.issued', actor: clientId, metadata: { scopes: 'orders' } })
    expect(statSync(path).mode & 0o777).toBe(0o600)
    await stop()
    await mint(client, 3)

    // A process that died while it wrote leaves half a line behind, and the file was rotated since.
    appendFileSync(path, '{"half')
    const second = await instance({ QSCOPE_AUDIT_LOG_FILE: path })
    follow(second.other)
    await expect.poll(() => own().length, PATIENCE).toBe(8)
    expect(readFileSync(path, 'utf8')).toContain('{"half\n{')
    renameSync(path, `${path}.1`)
    await mint(client, 2)
    await expect.poll(() => own().length, PATIENCE).toBe(2)
    const all = [...linesOf(`${path}.1`), ...linesOf(path)].filter((line) => line.clientId === clientId)
    expect(all.map(({ eventId }) => eventId).toSorted()).toEqual((await issuedTo(clientId)).toSorted())
  })

  it('to an OpenTelemetry collector as log records, again after a refusal', async () => {
    const receiver = await startLogReceiver((request) => (request === 1 ? 'refuse' : 'take'))
    const { client, clientId } = await server.registerClient({ scopes: ['orders'] })
    const { other } = await instance({ QSCOPE_AUDIT_OTLP_ENDPOINT: receiver.url })
    follow(other)
    await begun('audit-otlp')
    await mint(client, 4)
    const own = () => receiver.records.filter(({ attributes }) => attributes['qscope.client_id'] === clientId)
    await expect
      .poll(() => new Set(own().map(({ attributes }) => attributes['qscope.event_id'])).size, PATIENCE)
      .toBe(4)
    expect(receiver.requests()).toBeGreaterThan(1)
    expect(own()[0]).toMatchObject({
      eventName: 'qscope.token.issued',
      attributes: { 'qscope.actor': clientId, 'qscope.metadata.scopes': 'orders' },
    })
  })

  it('without a gap by two followers with one name, one of which fails repeatedly', async () => {
    const { client, clientId } = await server.registerClient({ scopes: ['orders'] })
    const delivered: string[] = []
    let deliveries = 0
    const projection: AuditProjection = {
      name: `broken-${clientId}`.slice(0, 60),
      deliver: async (events) => {
        deliveries += 1
        // It breaks off in the middle, or after all of them: in either case nobody is told that they are done.
        const isTorn = deliveries % 3 === 0
        const taken = isTorn ? events.slice(0, events.length / 2) : events
        for (const event of taken) if (event.clientId === clientId) delivered.push(event.eventId)
        if (isTorn || deliveries % 2 === 0) throw new Error('the sink has broken off')
      },
    }
    const followerOf = ({ app }: TestServer) => {
      const { auditFeed: feed, backend } = app
      const log = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }
      return new AuditFollower({
        projection,
        feed,
        backend,
        log,
        now: server.clock.now,
        monotonic: () => performance.now(),
        retryMs: 20,
      })
    }
    const { other } = await instance({})
    const followers = [followerOf(server), followerOf(other)]
    onTestFinished(async () => void (await Promise.all(followers.map((follower) => follower.stop()))))
    for (const follower of followers) follower.start()
    await begun(projection.name)
    for (let round = 0; round < 4; round += 1) {
      await mint(client, 10)
      await expect.poll(() => new Set(delivered).size, PATIENCE).toBeGreaterThanOrEqual((round + 1) * 10)
    }
    expect(new Set(delivered)).toEqual(new Set(await issuedTo(clientId)))
  })

  it('without delaying the stop of a server when no receiver accepts them', async () => {
    const { client } = await server.registerClient({ scopes: ['orders'] })
    const { auditFeed: feed, backend } = server.app
    const warnings: string[] = []
    const begun = Promise.withResolvers<void>()
    const hanging: AuditProjection = {
      name: server.unique('hanging-'),
      deliver: () => {
        begun.resolve()
        return new Promise(() => undefined)
      },
    }
    const follower = new AuditFollower({
      projection: hanging,
      feed,
      backend,
      log: {
        debug: () => undefined,
        info: () => undefined,
        warn: (_, text) => void warnings.push(text),
        error: () => undefined,
      },
      now: server.clock.now,
      monotonic: () => performance.now(),
    })
    follower.start()
    await expect.poll(() => follower.metrics().lagMs, PATIENCE).not.toBeNull()
    await mint(client, 1)
    await begun.promise
    await follower.stop()
    expect(warnings).toEqual([expect.stringContaining('delivered again')])
    expect(follower.metrics().delivered).toBe(0)
  })
})
