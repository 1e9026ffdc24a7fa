import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { create, toBinary } from '@bufbuild/protobuf'
import { describe, expect, it, onTestFinished } from 'vitest'
import { IntrospectTokenRequestSchema, MintTokenRequestSchema } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { cacheFolder } from '../interop/toolchain.ts'
import { freePort } from '../setup/free-port.ts'
import { sqliteFiles } from '../setup/fresh-database.ts'
import { goProgram } from '../setup/go-programs.ts'
import { GRPC_JAVA_LIBRARIES, hasGrpcJava } from '../setup/grpc-java.ts'
import { scaled } from '../setup/scale.ts'
import { ConnectionBalancer } from './connection-balancer.ts'
import { qscope, run, temporaryDirectory } from './process.ts'
import {
  callWithGo,
  callWithGrpcJs,
  callWithJava,
  type Ends,
  type UnaryCaller,
  type WhatToCall,
} from './unary-callers.ts'

const GO_CALLER = goProgram('grpc-go-caller', 'what callers with grpc-go see of restarts')
const hasJava = hasGrpcJava('what callers with grpc-java see of restarts')
const ROUNDS = scaled(30, 1)
const KILLS = scaled(10, 1)
/** How long callers call between two restarts. */
const BETWEEN_MS = 300
const MAX_STREAM_ID = 0x7fffffff

type Start = (what: WhatToCall) => UnaryCaller
const CALLERS: readonly (readonly [name: string, isPossible: boolean, start: Start])[] = [
  ['grpc-go', GO_CALLER !== null, (what) => callWithGo(GO_CALLER ?? '', what)],
  ['grpc-java', hasJava, (what) => callWithJava(GRPC_JAVA_LIBRARIES, what)],
  ['grpc-js', true, callWithGrpcJs],
]

/** Two servers on one database behind a balancer, and what to call them with. */
async function twoServers() {
  const directory = await temporaryDirectory()
  const database = await sqliteFiles.create()
  onTestFinished(() => database.drop())
  const ports = [await freePort(), await freePort()]
  const env = (port: number) => ({
    QSCOPE_DATABASE_URL: database.url,
    QSCOPE_KEYRING_FILE: join(directory, 'keyring.json'),
    QSCOPE_GRPC_LISTEN: `127.0.0.1:${port}`,
    QSCOPE_LOG_LEVEL: 'warn',
    QSCOPE_MINT_RATE: 'off',
    // So low that connections end of age in between as well.
    QSCOPE_MAX_CONNECTION_AGE: '10s',
  })
  expect(await run(directory, ['migrate', 'up'], env(ports[0] ?? 0))).toMatchObject({ code: 0 })
  const made = await run(directory, ['client', 'create', '--admin', '--json'], env(ports[0] ?? 0))
  const { client, clientSecret } = JSON.parse(made.stdout)
  const start = async (port: number) => {
    const server = qscope(directory, ['serve'], env(port))
    await server.until(/listens on/)
    return server
  }
  const balancer = new ConnectionBalancer(ports)
  onTestFinished(() => balancer.close())
  return {
    ports,
    start,
    balancer,
    address: await balancer.listen(),
    credentials: { clientId: client.clientId, method: { case: 'clientSecret' as const, value: clientSecret } },
  }
}

describe.each(CALLERS.filter(([, isPossible]) => isPossible))('callers with %s', (_, __, startCaller) => {
  it('lose no call while one server after the other is restarted', async () => {
    const { ports, start, balancer, address, credentials } = await twoServers()
    const running = new Map(await Promise.all(ports.map(async (port) => [port, await start(port)] as const)))
    const load = { address, connections: 4, inFlight: 4 }
    const path = '/qscope.v1.TokenService'
    const mint = toBinary(MintTokenRequestSchema, create(MintTokenRequestSchema, { client: credentials }))
    const introspect = create(IntrospectTokenRequestSchema, { client: credentials, token: 'qat_unknown' })
    const callers = [
      startCaller({ ...load, path: `${path}/MintToken`, request: mint }),
      startCaller({
        ...load,
        path: `${path}/IntrospectToken`,
        request: toBinary(IntrospectTokenRequestSchema, introspect),
      }),
    ]
    const connectionsTo = (port: number) =>
      balancer.connections.filter((each) => each.backend === port && !each.isClosed)
    await expect.poll(() => ports.every((port) => connectionsTo(port).length > 0)).toBe(true)
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const port of ports) {
        await sleep(BETWEEN_MS)
        const server = running.get(port)
        const open = connectionsTo(port)
        // As whoever stops a server does first.
        balancer.withdraw(port)
        server?.child.kill('SIGTERM')
        expect(await server?.ended).toEqual({ code: 0, signal: null })
        // RFC 9113 §6.8: first no new streams, then which were the last; without an error.
        for (const { goAways } of open) {
          expect(goAways.map(({ errorCode }) => errorCode)).toEqual(goAways.map(() => 0))
          expect(goAways.length).toBeGreaterThanOrEqual(2)
          expect(goAways.at(0)?.lastStreamId).toBe(MAX_STREAM_ID)
          expect(goAways.at(-1)?.lastStreamId).toBeLessThan(MAX_STREAM_ID)
        }
        running.set(port, await start(port))
        balancer.readmit(port)
      }
    }
    const ends = await Promise.all(callers.map((caller) => caller.stop()))
    for (const each of ends) {
      expect(Object.keys(each)).toEqual(['OK'])
      expect(each['OK']).toBeGreaterThan(100)
    }
  }, 600_000)

  it('are told that nobody answers, and nothing else, when a server is killed', async () => {
    const { ports, start, balancer, address, credentials } = await twoServers()
    const running = new Map(await Promise.all(ports.map(async (port) => [port, await start(port)] as const)))
    const request = toBinary(MintTokenRequestSchema, create(MintTokenRequestSchema, { client: credentials }))
    const what = { address, path: '/qscope.v1.TokenService/MintToken', request, connections: 4, inFlight: 4 }
    const totals: Record<string, number> = {}
    const caller = startCaller(what)
    for (let round = 0; round < KILLS; round += 1) {
      for (const port of ports) {
        await sleep(BETWEEN_MS)
        running.get(port)?.child.kill('SIGKILL')
        balancer.withdraw(port)
        await running.get(port)?.ended
        running.set(port, await start(port))
        balancer.readmit(port)
      }
    }
    await sleep(BETWEEN_MS)
    add(totals, await caller.stop())
    expect(Object.keys(totals).filter((end) => !/^(OK$|unavailable:)/i.test(end))).toEqual([])
    expect(totals['OK']).toBeGreaterThan(100)

    const after = startCaller(what)
    await sleep(2_000)
    expect(Object.keys(await after.stop())).toEqual(['OK'])
  }, 600_000)
})

function add(totals: Record<string, number>, ends: Ends): void {
  for (const [end, count] of Object.entries(ends)) totals[end] = (totals[end] ?? 0) + count
}
