import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect as connectHttp2 } from 'node:http2'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { create, toBinary } from '@bufbuild/protobuf'
import { expect, it, onTestFinished } from 'vitest'
import { GrantType } from '../../src/gen/qscope/v1/client_pb.ts'
import { DeviceAuthorizationState as State } from '../../src/gen/qscope/v1/device_service_pb.ts'
import { BatchIntrospectTokensRequestSchema, TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { restartableServer } from '../e2e/restartable-server.ts'
import { connect, Refused } from '../setup/client.ts'
import { sqliteFiles } from '../setup/fresh-database.ts'
import { grantsOn } from '../setup/grants.ts'
import { scaled } from '../setup/scale.ts'
import { grpcFrame, rawCall, rawSocket, shutWindow, unfinishedHeaders } from './raw-streams.ts'

const { batchIntrospectTokens, mintToken } = TokenService.method
const IDLE = scaled(4_000, 200)
const SLOW = scaled(1_000, 100)
const WATCHES = scaled(1_000, 100)
const FLOODING_CALLS = scaled(500, 100)
const ROUNDS = scaled(20)
const CALLS = scaled(100, 10)
const PATIENCE_MS = 180_000

/** A server under attack, and an honest client of it. */
async function attacked(variables: Readonly<Record<string, string>> = {}) {
  const server = await restartableServer(sqliteFiles, variables)
  const running = await server.start()
  const honest = await server.registerClient({ scopes: ['orders.read'] })
  const own = connect(server.address, { ownSocket: true })
  onTestFinished(() => own.close())
  return {
    server,
    /** Calls the server sequentially; returns the milliseconds of each call. */
    async served(calls = CALLS): Promise<number[]> {
      const times: number[] = []
      for (let n = 0; n < calls; n += 1) {
        const begun = performance.now()
        const { token } = await own.call(mintToken, { client: honest.client })
        times.push(performance.now() - begun)
        expect(token?.accessToken).toMatch(/^qat_/)
      }
      return times
    },
    /** Checks that the server is still running and stops normally, despite open connections. */
    async stop() {
      running.child.kill('SIGTERM')
      expect(await running.ended).toEqual({ code: 0, signal: null })
      expect(running.stderr).not.toMatch(/uncaught|"level":"error"/)
    },
  }
}

const IMPATIENT = { QSCOPE_SHUTDOWN_GRACE: '1s' }

it(
  `answers others beside ${IDLE} of 4,000 idle connections`,
  async () => {
    const { server, served, stop } = await attacked(IMPATIENT)
    const sockets = await Promise.all(Array.from({ length: IDLE }, () => rawSocket(server.address)))
    onTestFinished(() => sockets.forEach((socket) => void socket.destroy()))
    expect(await served()).toHaveLength(CALLS)
    await stop()
  },
  PATIENCE_MS,
)

it(
  `answers others beside ${SLOW} of 1,000 callers that never end their headers`,
  async () => {
    const { server, served, stop } = await attacked(IMPATIENT)
    const sockets = await Promise.all(Array.from({ length: SLOW }, () => unfinishedHeaders(server.address)))
    onTestFinished(() => sockets.forEach((socket) => void socket.destroy()))
    expect(await served()).toHaveLength(CALLS)
    await stop()
  },
  PATIENCE_MS,
)

it(
  `answers others beside ${SLOW} of 1,000 callers whose bodies drip`,
  async () => {
    const { server, served, stop } = await attacked(IMPATIENT)
    const session = connectHttp2(`http://${server.address}`)
    session.on('error', () => undefined)
    onTestFinished(() => void session.destroy())
    const message = grpcFrame(new Uint8Array(1_000))
    const streams = Array.from({ length: SLOW }, () => rawCall(session, '/qscope.v1.TokenService/MintToken'))
    let at = 0
    const drip = setInterval(() => {
      for (const stream of streams) stream.write(message.subarray(at, at + 1))
      at += 1
    }, 20)
    onTestFinished(() => clearInterval(drip))
    expect(await served()).toHaveLength(CALLS)
    expect(at).toBeGreaterThan(0)
    clearInterval(drip)
    await stop()
  },
  PATIENCE_MS,
)

it(
  `answers others beside ${SLOW} of 1,000 callers that never read their answers`,
  async () => {
    const { server, served, stop } = await attacked(IMPATIENT)
    const session = shutWindow(server.address)
    onTestFinished(() => void session.destroy())
    const request = create(BatchIntrospectTokensRequestSchema, {
      client: server.admin.client,
      tokens: Array.from({ length: 1_000 }, () => server.admin.token),
    })
    const message = grpcFrame(toBinary(batchIntrospectTokens.input, request))
    for (let n = 0; n < SLOW; n += 1) {
      rawCall(session, '/qscope.v1.TokenService/BatchIntrospectTokens').end(message)
    }
    expect(await served()).toHaveLength(CALLS)
    await stop()
  },
  PATIENCE_MS,
)

it(
  `answers others beside ${WATCHES} of 1,000 open watches, and every watch`,
  async () => {
    // The limit of streams is raised, because otherwise the approvals would wait for the watches on their connection to end.
    const { server, served, stop } = await attacked({ QSCOPE_MAX_CONCURRENT_STREAMS: String(WATCHES * 4) })
    const grants = grantsOn(server)
    const device = await server.registerClient({ grantTypes: [GrantType.DEVICE_CODE], scopes: ['orders.read'] })
    const codes = await Promise.all(Array.from({ length: WATCHES }, () => grants.startDevice(device)))
    const watches = codes.map(({ deviceCode }) => grants.watchDevice(device, { deviceCode }))
    while (watches.some(({ items }) => items.length === 0)) await sleep(10)
    expect(await served()).toHaveLength(CALLS)
    await Promise.all(codes.map((each) => grants.approveDevice(each)))
    await Promise.all(watches.map(({ ended }) => ended))
    expect(watches.filter(({ items }) => items.at(-1)?.state === State.APPROVED)).toHaveLength(WATCHES)
    await stop()
  },
  PATIENCE_MS,
)

it(
  `answers one client beside ${FLOODING_CALLS} of 500 calls at once of another`,
  async () => {
    const { server, served, stop } = await attacked()
    const flooding = await server.registerClient({ scopes: ['orders.read'] })
    const alone: number[] = []
    const beside: number[] = []
    let flooded = 0
    for (let round = 0; round < ROUNDS; round += 1) {
      alone.push(p99(await served()))
      const flood = await startFlood(server.address, flooding)
      beside.push(p99(await served()))
      flooded += await flood.stop()
    }
    expect(flooded).toBeGreaterThan(0)
    const [quiet, loud] = [median(alone), median(beside)]
    console.info(
      `p99 of one caller: ${quiet.toFixed(1)} ms alone, ${loud.toFixed(1)} ms beside ${FLOODING_CALLS} calls at once (×${(loud / quiet).toFixed(1)})`,
    )
    await stop()
  },
  PATIENCE_MS,
)

it(
  'limits the rate of one client, without effect on others',
  async () => {
    const { server, served, stop } = await attacked({ QSCOPE_MINT_RATE: '50/s:100' })
    const flooding = await server.registerClient({ scopes: ['orders.read'] })
    const other = connect(server.address, { ownSocket: true })
    onTestFinished(() => other.close())
    const refused: Refused[] = []
    let minted = 0
    let on = true
    const calls = Array.from({ length: FLOODING_CALLS }, async () => {
      while (on) {
        try {
          await other.call(mintToken, { client: flooding.client })
          minted += 1
        } catch (error) {
          if (!(error instanceof Refused)) throw error
          refused.push(error)
          await sleep(100)
        }
      }
    })
    await sleep(300)
    expect(await served()).toHaveLength(CALLS)
    on = false
    await Promise.all(calls)
    expect(minted).toBeGreaterThanOrEqual(100)
    expect(refused.length).toBeGreaterThan(0)
    expect(new Set(refused.map(({ status, reason }) => `${status} ${reason}`))).toEqual(
      new Set(['RESOURCE_EXHAUSTED LIMIT_EXCEEDED']),
    )
    expect(refused.every(({ details }) => details.retry !== undefined)).toBe(true)
    await stop()
  },
  PATIENCE_MS,
)

/** Floods from another process, so that the load of the sender does not delay the honest client. */
async function startFlood(address: string, { clientId, clientSecret }: { clientId: string; clientSecret: string }) {
  const script = join(import.meta.dirname, 'flooder.ts')
  const child = spawn(process.execPath, [script, address, clientId, clientSecret, String(FLOODING_CALLS)])
  onTestFinished(() => void child.kill('SIGKILL'))
  const ended = once(child, 'close')
  let said = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  while (!said.includes('flooding')) await sleep(10)
  await sleep(300)
  return {
    /** Returns how many calls were answered. */
    async stop(): Promise<number> {
      child.kill('SIGTERM')
      await ended
      return Number(said.split('\n')[1])
    },
  }
}

function p99(times: readonly number[]): number {
  return times.toSorted((a, b) => a - b)[Math.floor(times.length * 0.99)] ?? 0
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0
}
