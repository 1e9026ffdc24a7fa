import { createServer } from 'node:http'
import { type AddressInfo, connect, createServer as createTcpServer, type Server } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { createServer as createTlsServer } from 'node:tls'
import { afterAll, beforeAll, describe, expect, it, onTestFinished, test } from 'vitest'
import { clientId, type TokenId } from '../../src/domain/ids.ts'
import type { Backend } from '../../src/stores/contract/backend.ts'
import { StoreError } from '../../src/stores/contract/errors.ts'
import { openBackend, openMigrations } from '../../src/stores/open.ts'
import { LOCAL_NAMES, selfSigned, suiteFolder } from '../setup/certificates.ts'
import { startProxy } from '../setup/database-proxy.ts'
import { makeLibsqlDatabase } from '../setup/libsql-databases.ts'
import { startLibsql } from '../setup/libsql-server.ts'
import { runSql } from '../setup/run-sql.ts'
import type { DatabaseServer } from '../setup/server-process.ts'
import { aClient, anEvent, aToken, change, context, options, ownTransaction, quiet, register } from './given.ts'

type ServerOptions = Parameters<typeof startLibsql>[0]
type Connections = NonNullable<Parameters<typeof openMigrations>[2]>

const CONNECTIONS: Connections = { connectTimeoutMs: 1_000, statementTimeoutMs: 3_000 }

/** A migrated database with a client on a separate server. */
async function served(serverOptions: ServerOptions = {}, connections: Connections = {}) {
  const server = await started(serverOptions)
  const url = await makeLibsqlDatabase(server.url, 'qscope')
  const over = { ...CONNECTIONS, ...connections }
  const migrations = await openMigrations(url, quiet, over)
  await migrations.up()
  await migrations.close()
  const backend = await opened(url, over)
  await register(backend, aClient('someone'))
  return { server, url, backend }
}

async function started(serverOptions: ServerOptions = {}) {
  const server = await startLibsql(serverOptions)
  onTestFinished(() => server.stop())
  return server
}

/** The same database on another server. */
function by(other: DatabaseServer, { server, url }: { readonly server: DatabaseServer; readonly url: string }): string {
  return url.replace(server.url, other.url)
}

async function opened(url: string, connections: Connections): Promise<Backend> {
  const backend = await openBackend(url, { ...options, connections })
  onTestFinished(() => backend.close())
  return backend
}

async function mint(backend: Backend): Promise<TokenId> {
  const token = aToken('someone')
  await backend.append(context(), (stores) => {
    void stores.accessTokens.insert(token)
    void stores.auditLog.append(anEvent())
  })
  return token.tokenId
}

describe('the token of a server', () => {
  const TOKEN = 'a-token-that-nobody-sees'

  it('authenticates QScope, and a refusal names its variable', async () => {
    const { url } = await served({ token: TOKEN }, { authToken: TOKEN })
    for (const authToken of ['another', null]) {
      const refusal = await openBackend(url, { ...options, connections: { authToken } }).catch(
        (error: unknown) => error,
      )
      expect(refusal).toBeInstanceOf(StoreError)
      expect(refusal).toMatchObject({
        fault: 'unavailable',
        message:
          'the database refuses the token: QSCOPE_DATABASE_AUTH_TOKEN_FILE must name the file of a token that allows reading and writing',
      })
      expect(JSON.stringify(refusal)).not.toContain(TOKEN)
    }
  })
})

describe('a server that is killed during commits', () => {
  it('keeps answered writes once, and no refused ones', async () => {
    const { server, url, backend } = await served()
    const answered = new Set<TokenId>()
    const refused: StoreError[] = []
    let stopping = false
    const caller = async () => {
      while (!stopping) {
        try {
          answered.add(await mint(backend))
        } catch (error) {
          if (!(error instanceof StoreError)) throw error
          refused.push(error)
          await sleep(20)
        }
      }
    }
    const callers = Promise.all(Array.from({ length: 16 }, caller))
    for (let kills = 0; kills < 3; kills += 1) {
      await sleep(300)
      await server.kill()
      await sleep(100)
      await server.start()
    }
    await sleep(300)
    stopping = true
    await callers

    const unknown = refused.filter(({ fault }) => fault === 'outcome_unknown').length
    expect(refused.filter(({ fault }) => fault !== 'outcome_unknown' && fault !== 'unavailable')).toEqual([])
    const rows = await runSql(url, 'select token_id as id from oauth_access_tokens')
    const stored = new Set(rows.map(({ id }) => id))
    expect([...answered].filter((id) => !stored.has(id))).toEqual([])
    expect(stored.size).toBeLessThanOrEqual(answered.size + unknown)
    expect(answered.size).toBeGreaterThan(50)
    const [chains] = await runSql(
      url,
      `select (select count(*) from oauth_audit_log) as events, (select sum(sequence) from oauth_audit_heads) as ends,
       (select count(*) from oauth_audit_log) - ${stored.size} as others`,
    )
    expect(chains?.['events']).toBe(chains?.['ends'])
    await mint(backend)
    expect(await backend.check()).toEqual({ serving: true })
  })
})

describe.each<readonly [string, ServerOptions]>([
  ['a transaction that the server ends', { transactionMs: 300 }],
  ['a stream that the server forgets', { idleMs: 300 }],
])('%s', (_what, serverOptions) => {
  it('is retried, and leaves nothing if it takes too long each time', async () => {
    const patient = await served()
    const impatient = await started({ ...serverOptions, directory: patient.server.directory })
    const backend = await opened(by(impatient, patient), CONNECTIONS)
    let runs = 0
    const decide = (slowRuns: number) => {
      runs = 0
      return ownTransaction(backend, context(), async (stores) => {
        runs += 1
        await stores.clients.lock(clientId('someone'))
        if (runs <= slowRuns) await sleep(600)
        const won = await stores.clients.startTokenGeneration(clientId('someone'), change)
        await stores.auditLog.append(anEvent())
        return { commit: won, value: won }
      })
    }
    const generation = async () => (await backend.reads.clients.find(context(), clientId('someone')))?.tokenGeneration
    const before = await generation()
    await expect(decide(9)).rejects.toMatchObject({
      fault: 'unavailable',
      message: expect.stringMatching(/^the database ended the transaction: it took longer than the server allows/),
    })
    expect(runs).toBe(2)
    expect(await generation()).toBe(before)
    expect(await decide(1)).toBe(true)
    expect(runs).toBe(2)
    expect(await generation()).toBe((before ?? 0) + 1)
  })
})

describe('a network on which each packet takes 50 ms', () => {
  it('is fast enough to migrate a database up, down and up, each in one transaction of few requests', async () => {
    const server = await started()
    const proxy = await startProxy(await makeLibsqlDatabase(server.url, 'qscope'))
    onTestFinished(() => proxy.close())
    proxy.delay(50)
    const migrations = await openMigrations(proxy.url, quiet)
    onTestFinished(() => migrations.close())
    const all = (await migrations.up()).migrations
    expect(all.length).toBeGreaterThan(10)
    expect((await migrations.down({ all: true })).migrations).toEqual(all.toReversed())
    expect(await migrations.isEmpty()).toBe(true)
    expect((await migrations.up()).migrations).toEqual(all)
    expect(await migrations.status()).toMatchObject({ problem: null, pending: [] })
  })
})

describe('a replica', () => {
  it('that forwards all writes to its primary is equivalent to it', async () => {
    const { backend } = await served({ replica: 'hands on', lagMs: 60_000 })
    const id = await mint(backend)
    expect(await backend.reads.accessTokens.findById(context(), id)).toMatchObject({ token: { tokenId: id } })
    expect(await backend.check()).toEqual({ serving: true })
  })

  it('that answers by itself is not used, because its data may be older than a revocation', async () => {
    const primary = await served()
    const replica = await started({ replica: 'answers all', lagMs: 60_000, directory: primary.server.directory })
    const backend = await opened(by(replica, primary), CONNECTIONS)
    expect(await backend.check()).toEqual({
      serving: false,
      readable: true,
      answers: true,
      problem:
        'the database does not return a change that was just committed, so a revoked token could be accepted: QSCOPE_DATABASE_URL names a replica; name the primary',
    })
  })
})

describe('a server that is not libSQL', () => {
  const servers: Server[] = []
  afterAll(() => {
    for (const server of servers) server.close()
  })
  const listening = async (server: Server): Promise<number> => {
    servers.push(server)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    return port
  }

  test.each<readonly [number, RegExp]>([
    [302, /^the server at http:\/\/127.0.0.1:\d+\/ redirects to another server: name that server instead$/],
    [403, /^the database refuses the token: QSCOPE_DATABASE_AUTH_TOKEN_FILE /],
    [404, /^there is no libSQL database at http:\/\/127.0.0.1:\d+\/$/],
    [429, /^the database accepts no more requests at the moment \(HTTP status 429\)$/],
    [503, /^the database answered with the HTTP status 503$/],
    [200, /^the database cannot be used: /],
  ])('is reported in one line if it answers with the status %i', async (status, line) => {
    let asked = 0
    const elsewhere = await listening(
      createServer((_request, response) => {
        asked += 1
        response.end()
      }),
    )
    const port = await listening(
      createServer((_request, response) => {
        response.writeHead(status, { location: `http://127.0.0.1:${elsewhere}/`, 'content-type': 'text/html' })
        response.end('<p>hello</p>')
      }),
    )
    await expect(openBackend(`http://127.0.0.1:${port}`, options)).rejects.toMatchObject({
      fault: 'unavailable',
      message: expect.stringMatching(line),
    })
    expect(asked).toBe(0)
  })

  it('is given up if it does not answer or listen', async () => {
    const port = await listening(createTcpServer(() => undefined))
    const connections = { connectTimeoutMs: 300, statementTimeoutMs: 300 }
    await expect(openBackend(`http://127.0.0.1:${port}`, { ...options, connections })).rejects.toMatchObject({
      fault: 'unavailable',
      message: 'the database did not answer within 300 ms',
    })
    await expect(openBackend('http://127.0.0.1:1', { ...options, connections })).rejects.toMatchObject({
      fault: 'unavailable',
      message: expect.stringMatching(/^the database cannot be reached: .*ECONNREFUSED.*; check the host and port/),
    })
  })
})

describe('a server behind TLS', () => {
  const folder = suiteFolder()
  const identity = selfSigned(folder, 'server', LOCAL_NAMES)
  let server: DatabaseServer
  let port = 0
  let close = () => undefined as unknown
  beforeAll(async () => {
    server = await startLibsql()
    await makeLibsqlDatabase(server.url, 'qscope')
    const target = Number(new URL(server.url).port)
    const front = createTlsServer({ cert: identity.cert, key: identity.key }, (client) => {
      const behind = connect({ host: '127.0.0.1', port: target })
      for (const socket of [client, behind]) socket.on('error', () => [client, behind].map((one) => one.destroy()))
      client.pipe(behind).pipe(client)
    })
    close = () => front.close()
    await new Promise<void>((resolve) => front.listen(0, '127.0.0.1', resolve))
    port = (front.address() as AddressInfo).port
  })
  afterAll(async () => {
    close()
    await server.stop()
  })

  it('is trusted only with a certificate of the given CAs', async () => {
    const url = `libsql://localhost:${port}/qscope`
    const ca = identity.cert.toString('utf8')
    const backend = await openBackend(url, { ...options, connections: { tls: { ca } } })
    await backend.close()
    await expect(openBackend(url, { ...options, connections: { tls: { ca: null } } })).rejects.toMatchObject({
      fault: 'unavailable',
      message: expect.stringMatching(/^the database cannot be connected to: .*self-signed/),
    })
  })
})
