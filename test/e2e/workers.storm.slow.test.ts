import { copyFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { Health, HealthCheckResponse_ServingStatus as Serving } from '../../src/gen/grpc/health/v1/health_pb.ts'
import { GrantType } from '../../src/gen/qscope/v1/client_pb.ts'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { startMixedLoad } from '../cluster/mixed-load.ts'
import { expectKept, expectSound } from '../cluster/what-holds.ts'
import { connect, Refused, refusalOf } from '../setup/client.ts'
import { onEveryKind } from '../setup/every-kind.ts'
import { sqliteFiles } from '../setup/fresh-database.ts'
import { type CalledServer, grantsOn } from '../setup/grants.ts'
import { scaled } from '../setup/scale.ts'
import { isAlive, signalProcess } from '../setup/signal-process.ts'
import { redemptionLoad } from './every-redemption.ts'
import { qscope, run, temporaryDirectory } from './process.ts'
import { type ReachedWorker, serverOfWorkers } from './server-of-workers.ts'

const { introspectToken, mintToken, revokeToken } = TokenService.method
const LISTEN = '127.0.0.1:0'
const KILLS = scaled(10)
const LOAD_MS = 500
const WRITING_MS = scaled(20_000, 2_000)
const MINUTES_MS = 300_000

type ServerOfWorkers = Awaited<ReturnType<typeof serverOfWorkers>>

/** The server, called through one worker. */
function through(server: ServerOfWorkers, { call, stream }: ReachedWorker): CalledServer {
  return { ...server, call, stream }
}

/** Each call takes the next connection. */
function throughAll(server: ServerOfWorkers, reached: readonly ReachedWorker[]): CalledServer {
  let turn = 0
  const next = () => {
    turn += 1
    const found = reached[turn % reached.length]
    if (found === undefined) throw new Error('no worker was reached')
    return found
  }
  return {
    ...server,
    call: ((method, request, sent) => next().call(method, request, sent)) as CalledServer['call'],
    stream: ((method, request, sent) => next().stream(method, request, sent)) as CalledServer['stream'],
  }
}

async function expectIntactAudit(server: ServerOfWorkers): Promise<void> {
  const verified = await server.command('audit', 'verify', '--json')
  expect(verified.code).toBe(0)
  expect(JSON.parse(verified.stdout)).toMatchObject({ valid: true, breaks: [] })
}

async function stopped(server: ServerOfWorkers) {
  server.running.child.kill('SIGTERM')
  return await server.running.ended
}

async function untilGone(pid: number): Promise<void> {
  while (isAlive(pid)) await sleep(20)
}

onEveryKind('workers on $name', (kind) => {
  it(
    'share the connections, and refuse a token that another one revoked in the next call',
    async () => {
      const server = await serverOfWorkers(kind, 2)
      const reached = await server.reach()
      expect(reached.map(({ number }) => number)).toEqual([1, 2])
      expect(new Set([...reached.map(({ pid }) => pid), server.running.child.pid]).size).toBe(3)
      const { client } = await server.registerClient({ scopes: ['orders.read'] })
      for (const one of reached) {
        const { token } = await one.call(mintToken, { client })
        const asked = { client, token: token?.accessToken ?? '' }
        for (const each of reached) expect((await each.call(introspectToken, asked)).active).toBe(true)
        await one.call(revokeToken, asked)
        for (const each of reached) expect((await each.call(introspectToken, asked)).active).toBe(false)
      }
      expect(await stopped(server)).toEqual({ code: 0, signal: null })
      for (const { pid } of reached) await untilGone(pid)
    },
    MINUTES_MS,
  )

  it(
    `lose no answered write when one is killed under load, and it is replaced (${KILLS} of 10 kills)`,
    async () => {
      const server = await serverOfWorkers(kind, 3)
      let reached = await server.reach()
      const { client } = await server.registerClient({ scopes: ['orders.read'] })
      for (let kill = 0; kill < KILLS; kill += 1) {
        const [first, ...others] = reached.map((worker) => through(server, worker))
        if (first === undefined) throw new Error('no worker was reached')
        const load = await startMixedLoad([first, ...others])
        const [victim, ...survivors] = [...reached.slice(kill % 3), ...reached.slice(0, kill % 3)]
        if (victim === undefined) throw new Error('no worker was reached')
        await sleep(LOAD_MS)
        process.kill(victim.pid, 'SIGKILL')
        // The calls to the other workers succeed.
        for (const until = Date.now() + LOAD_MS; Date.now() < until; ) {
          for (const survivor of survivors) await survivor.call(mintToken, { client })
        }
        await server.line(({ msg, pid }) => msg === 'a worker ended' && pid === victim.pid)
        reached = await server.reach()
        const pids = reached.map(({ pid }) => pid)
        expect(reached.map(({ number }) => number)).toEqual([1, 2, 3])
        expect(pids).toEqual(expect.arrayContaining(survivors.map(({ pid }) => pid)))
        expect(pids).not.toContain(victim.pid)
        const record = await load.stop()
        expect(record.answers).toBeGreaterThan(10)
        // Unanswered calls to the killed worker fail with the end of the connection.
        expect(record.refusals.filter(({ status }) => status !== 'UNAVAILABLE')).toEqual([])
        for (const worker of reached) await expectKept(worker, load.client, record)
      }
      await expectSound(server.database.query)
      expect(await stopped(server)).toEqual({ code: 0, signal: null })
      await expectIntactAudit(server)
    },
    MINUTES_MS,
  )

  it(
    'answer accepted calls when the server is asked to stop under load',
    async () => {
      const server = await serverOfWorkers(kind, 2)
      const load = await redemptionLoad(throughAll(server, await server.reach()))
      const { client } = load
      const ending = load.untilItEnds()
      await expect.poll(() => load.counts().answered).toBeGreaterThan(20)
      const ended = stopped(server)
      const { codes, devices } = await ending
      expect(await ended).toEqual({ code: 0, signal: null })
      expect(load.undeserved).toEqual([])
      expect(load.counts().answered).toBeGreaterThan(10)
      // An accepted and dropped call would have an effect without an answer.
      const [row] = await server.database.query(
        `select count(*) as n from oauth_access_tokens where client_id = '${client.clientId}'`,
      )
      const answered = [...codes, ...devices].filter(({ tokens }) => tokens !== null).length
      expect(Number(row?.['n'])).toBe(load.active.size + load.toRevoke.size + answered)

      await server.start()
      const [again] = await server.reach()
      if (again === undefined) throw new Error('no worker was reached')
      const { exchangeCode } = grantsOn(through(server, again))
      for (const { what, tokens } of codes) {
        if (tokens === null) expect((await exchangeCode(client, what)).accessToken).toMatch(/^qat_/)
      }
      expect(await stopped(server)).toEqual({ code: 0, signal: null })
      await expectIntactAudit(server)
    },
    MINUTES_MS,
  )
})

describe('workers on one SQLite file', () => {
  it(
    'alternate writes without refusals',
    async () => {
      const server = await serverOfWorkers(sqliteFiles, 2, { QSCOPE_LOG_LEVEL: 'info' })
      const reached = await server.reach()
      const { client } = await server.registerClient({ scopes: ['orders.read'] })
      const until = Date.now() + WRITING_MS
      const counts = await Promise.all(
        reached.map(async (worker) => {
          let minted = 0
          const write = async () => {
            while (Date.now() < until) {
              await worker.call(mintToken, { client })
              minted += 1
            }
          }
          await Promise.all(Array.from({ length: 32 }, write))
          return minted
        }),
      )
      const [less = 0, more = 0] = counts.sort((one, other) => one - other)
      expect(less).toBeGreaterThan(more / 10)
      expect(await stopped(server)).toEqual({ code: 0, signal: null })
      await expectIntactAudit(server)
    },
    MINUTES_MS,
  )
})

describe('limits of a server with workers', () => {
  it(
    'apply to guesses spread over all workers',
    async () => {
      const server = await serverOfWorkers(sqliteFiles, 3, { QSCOPE_AUTHENTICATION_FAILURES_PER_CLIENT: '1/h:9' })
      const reached = await server.reach()
      const honest = await server.registerClient({ scopes: ['orders.read'] })
      const [one, other, third] = reached
      if (one === undefined || other === undefined || third === undefined) throw new Error('three were to be reached')
      await one.call(mintToken, { client: honest.client })
      const guess = { clientId: honest.clientId, method: { case: 'clientSecret' as const, value: 'a guess' } }
      let judged = 0
      for (let n = 0; n < 30; n += 1) {
        const worker = reached[n % 3] ?? one
        const { reason } = await refusalOf(worker.call(mintToken, { client: guess }))
        if (reason === 'OAUTH_INVALID_CLIENT') judged += 1
        else expect(reason).toBe('LIMIT_EXCEEDED')
        // Longer than the workers need to share their counts.
        await sleep(200)
      }
      expect(judged).toBe(9)
      // A client that authenticated at one worker is admitted by all.
      for (const worker of [other, third]) await worker.call(mintToken, { client: honest.client })
    },
    MINUTES_MS,
  )

  it(
    'apply to mints of a client at all workers',
    async () => {
      const server = await serverOfWorkers(sqliteFiles, 2, { QSCOPE_MINT_RATE: '1/h:10' })
      const [one, other] = await server.reach()
      if (one === undefined || other === undefined) throw new Error('two were to be reached')
      const { client } = await server.registerClient({ scopes: ['a'], grantTypes: [GrantType.CLIENT_CREDENTIALS] })
      for (let n = 0; n < 5; n += 1) {
        for (const worker of [one, other]) await worker.call(mintToken, { client })
        await sleep(50)
      }
      for (const worker of [one, other]) {
        expect((await refusalOf(worker.call(mintToken, { client }))).reason).toBe('LIMIT_EXCEEDED')
      }
    },
    MINUTES_MS,
  )
})

describe('the workers of a server', () => {
  it(
    'print one start-up banner, and create one admin client',
    async () => {
      const directory = await temporaryDirectory()
      const env = { QSCOPE_WORKERS: '2', QSCOPE_GRPC_LISTEN: LISTEN }
      const server = qscope(directory, ['serve'], env)
      await server.until(/client secret {2}qcs_\S+[\s\S]*grpcurl/)
      expect(server.stdout.match(/listens on/g)).toHaveLength(1)
      expect(server.stdout.match(/client secret/g)).toHaveLength(1)
      const listed = await run(directory, ['client', 'list', '--json'])
      expect(JSON.parse(listed.stdout).clients).toMatchObject([{ clientId: 'admin' }])
      server.child.kill('SIGINT')
      expect(await server.ended).toEqual({ code: 0, signal: null })
    },
    MINUTES_MS,
  )

  it(
    'do not start when one of them cannot, with the reason in one line',
    async () => {
      const [directory, another] = [await temporaryDirectory(), await temporaryDirectory()]
      for (const each of [directory, another]) {
        await run(each, ['migrate', 'up'])
        await run(each, ['client', 'create', '--admin', '--json'])
      }
      const keyring = join('data', 'qscope.keyring.json')
      await copyFile(join(another, keyring), join(directory, keyring))
      const { code, stdout, stderr } = await run(directory, ['serve'], {
        QSCOPE_WORKERS: '3',
        QSCOPE_GRPC_LISTEN: LISTEN,
      })
      expect(code).toBe(1)
      expect(stdout).toBe('')
      const said = stderr.split('\n').filter((line) => line.startsWith('qscope: '))
      expect(said).toEqual([
        expect.stringMatching(/^qscope: the database refers to the pepper key \S+, which the keyring/),
      ])
    },
    MINUTES_MS,
  )

  it(
    'announce the stop at once, and end within the grace period although callers stay connected',
    async () => {
      const server = await serverOfWorkers(sqliteFiles, 2, { QSCOPE_SHUTDOWN_GRACE: '1s' })
      const reached = await server.reach()
      const watches = reached.map(({ stream }) => stream(Health.method.watch, { service: '' }))
      while (watches.some(({ items }) => items.length === 0)) await sleep(10)
      const ended = await stopped(server)
      await Promise.allSettled(watches.map((watch) => watch.ended))
      for (const { items } of watches) {
        expect(items.map(({ status }) => status)).toEqual([Serving.SERVING, Serving.NOT_SERVING])
      }
      expect(ended).toEqual({ code: 0, signal: null })
    },
    MINUTES_MS,
  )

  it(
    'close new connections to a killed one at once',
    async () => {
      const server = await serverOfWorkers(sqliteFiles, 2)
      const [one] = await server.reach()
      const { client } = await server.registerClient({ scopes: ['orders.read'] })
      // It accepts nothing now: one of the next connections is assigned to it and waits.
      process.kill(one?.pid ?? 0, 'SIGSTOP')
      const connections = Array.from({ length: 4 }, () => connect(server.address, { ownSocket: true }))
      const calls = connections.map((connection) => connection.call(mintToken, { client }, { deadlineMs: 15_000 }))
      await Promise.race(calls)
      process.kill(one?.pid ?? 0, 'SIGKILL')
      const ended = await Promise.allSettled(calls)
      // Its caller gets UNAVAILABLE at once, and not after the deadline.
      const refused = ended.filter((each) => each.status === 'rejected')
      expect(refused.map(({ reason }) => reason.status)).toEqual(['UNAVAILABLE'])
      for (const connection of connections) connection.close()
      expect(await stopped(server)).toEqual({ code: 0, signal: null })
    },
    MINUTES_MS,
  )

  it(
    'are replaced if one hangs, and the next one answers its callers',
    async () => {
      const server = await serverOfWorkers(sqliteFiles, 2)
      const [one, other] = await server.reach()
      if (one === undefined || other === undefined) throw new Error('two were to be reached')
      const { client } = await server.registerClient({ scopes: ['orders.read'] })
      // The worker hangs, as in an endless loop.
      process.kill(one.pid, 'SIGSTOP')
      const waiting = one.call(mintToken, { client }, { deadlineMs: MINUTES_MS }).catch((error: unknown) => error)
      const killed = server.line(({ msg, pid }) => msg === 'a worker does not respond and is killed' && pid === one.pid)
      for (let ended = false; !ended; ) {
        await other.call(mintToken, { client })
        ended = await Promise.race([killed.then(() => true), sleep(200).then(() => false)])
      }
      expect(Number((await killed)['silentMs'])).toBeGreaterThan(25_000)
      await server.line(({ msg, pid, how }) => msg === 'a worker ended' && pid === one.pid && how === 'a hang')
      expect(await waiting).toMatchObject({ status: 'UNAVAILABLE' })
      const [successor, same] = await server.reach()
      expect(same?.pid).toBe(other.pid)
      expect(successor?.pid).not.toBe(one.pid)
      await one.call(mintToken, { client })
      expect(await stopped(server)).toEqual({ code: 0, signal: null })
    },
    MINUTES_MS,
  )

  it(
    'do not count as hanging when the machine, or only the primary, was suspended for longer',
    async () => {
      const standStill = async (who: 'all' | 'the primary') => {
        const server = await serverOfWorkers(sqliteFiles, 2)
        const reached = await server.reach()
        const { client } = await server.registerClient({ scopes: ['orders.read'] })
        const primary = server.running.child.pid ?? 0
        const pids = who === 'all' ? [primary, ...reached.map(({ pid }) => pid)] : [primary]
        for (const pid of pids) process.kill(pid, 'SIGSTOP')
        await sleep(33_000)
        for (const pid of pids) process.kill(pid, 'SIGCONT')
        await sleep(3_000)
        for (const { call } of reached) await call(mintToken, { client })
        expect(server.lines().filter(({ msg }) => /hangs|ended/.test(String(msg)))).toEqual([])
        expect(await stopped(server)).toEqual({ code: 0, signal: null })
      }
      await Promise.all([standStill('all'), standStill('the primary')])
    },
    MINUTES_MS,
  )

  it(
    'are killed by a second signal',
    async () => {
      const server = await serverOfWorkers(sqliteFiles, 2, { QSCOPE_SHUTDOWN_GRACE: '60s' })
      const reached = await server.reach()
      const watches = reached.map(({ stream }) => stream(Health.method.watch, { service: '' }))
      while (watches.some(({ items }) => items.length === 0)) await sleep(10)
      process.kill(reached[0]?.pid ?? 0, 'SIGSTOP')
      server.running.child.kill('SIGTERM')
      await server.line(({ msg, reason }) => msg === 'stopping the workers' && reason === 'SIGTERM')
      server.running.child.kill('SIGTERM')
      expect(await server.running.ended).toEqual({ code: 143, signal: null })
      for (const { pid } of reached) await untilGone(pid)
    },
    MINUTES_MS,
  )

  it(
    'drain when the primary is killed',
    async () => {
      const server = await serverOfWorkers(sqliteFiles, 2)
      const reached = await server.reach()
      const { client } = await server.registerClient({ scopes: ['orders.read'] })
      const calls = reached.flatMap((worker) => Array.from({ length: 50 }, () => worker.call(mintToken, { client })))
      process.kill(server.running.child.pid ?? 0, 'SIGKILL')
      for (const result of await Promise.allSettled(calls)) {
        if (result.status === 'fulfilled') continue
        // Refused as by a stopping server: no call had started.
        expect(result.reason).toBeInstanceOf(Refused)
        expect(result.reason).toMatchObject({ status: 'UNAVAILABLE' })
      }
      for (const { pid } of reached) await untilGone(pid)
      const reasons = server.lines().filter(({ reason }) => reason === 'the primary is gone')
      expect(reasons).toHaveLength(2)
    },
    MINUTES_MS,
  )

  it(
    'are replaced when only one of them is asked to stop',
    async () => {
      const server = await serverOfWorkers(sqliteFiles, 2)
      const [one, other] = await server.reach()
      process.kill(one?.pid ?? 0, 'SIGTERM')
      await server.line(({ msg, how, pid }) => msg === 'a worker ended' && pid === one?.pid && how === 'exit code 0')
      const reached = await server.reach()
      expect(reached[0]?.pid).not.toBe(one?.pid)
      expect(reached[1]?.pid).toBe(other?.pid)
      expect(await stopped(server)).toEqual({ code: 0, signal: null })
    },
    MINUTES_MS,
  )

  it(
    'stop the server with one line when they end as fast as they are replaced',
    async () => {
      const server = await serverOfWorkers(sqliteFiles, 2)
      const { running } = server
      const killed = new Set<number>()
      const killing = setInterval(() => {
        for (const { pid, msg } of server.lines()) {
          if (msg !== 'worker started' || killed.has(Number(pid))) continue
          killed.add(Number(pid))
          // The stopping server may have ended it already.
          signalProcess(Number(pid), 'SIGKILL')
        }
      }, 20)
      const ended = await running.ended
      clearInterval(killing)
      expect(ended).toEqual({ code: 1, signal: null })
      const said = running.stderr.split('\n').filter((line) => line.startsWith('qscope: '))
      expect(said).toEqual(['qscope: workers end as fast as they are replaced; the last one: SIGKILL'])
    },
    MINUTES_MS,
  )
})
