import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { create, toBinary } from '@bufbuild/protobuf'
import { describe, expect, it, onTestFinished } from 'vitest'
import { IntrospectTokenRequestSchema, MintTokenRequestSchema } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { freePort } from '../setup/free-port.ts'
import { sqliteFiles } from '../setup/fresh-database.ts'
import { goProgram } from '../setup/go-programs.ts'
import { GRPC_JAVA_LIBRARIES, hasGrpcJava } from '../setup/grpc-java.ts'
import { scaled } from '../setup/scale.ts'
import { testedTransportName } from '../setup/transport-names.ts'
import { ConnectionBalancer } from './connection-balancer.ts'
import { qscope, run, temporaryDirectory } from './process.ts'
import { callWithGo, callWithGrpcJs, callWithJava, type UnaryCaller, type WhatToCall } from './unary-callers.ts'

const GO_CALLER = goProgram('grpc-go-caller', 'what callers with grpc-go see of restarts')
const hasJava = hasGrpcJava('what callers with grpc-java see of restarts')
const ROUNDS = scaled(30, 1)
const KILLS = scaled(10, 1)
/** The time of calls between two restarts. */
const BETWEEN_MS = 300
const CONNECTIONS = 4
const MAX_STREAM_ID = 0x7fffffff
/** RFC 9113 §6.8: the first GOAWAY has the highest stream id. Node.js, under grpc-js, names the last stream at once. */
const ENDS_IN_TWO_STEPS = testedTransportName() === 'native'

type Start = (what: WhatToCall) => UnaryCaller
const CALLERS: readonly (readonly [name: string, isPossible: boolean, start: Start])[] = [
  ['grpc-go', GO_CALLER !== null, (what) => callWithGo(GO_CALLER ?? '', what)],
  ['grpc-java', hasJava, (what) => callWithJava(GRPC_JAVA_LIBRARIES, what)],
  ['grpc-js', true, callWithGrpcJs],
]

/** Two servers on one database behind a balancer, and credentials to call them. */
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
    // So low that connections also end because of their age.
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

/** A caller with each installed library, with four connections of four concurrent calls. */
function startCallers(address: string, path: string, request: Uint8Array): ReadonlyMap<string, UnaryCaller> {
  const what = { address, path: `/qscope.v1.TokenService/${path}`, request, connections: CONNECTIONS, inFlight: 4 }
  const possible = CALLERS.filter(([, isPossible]) => isPossible)
  return new Map(possible.map(([name, , start]) => [name, start(what)]))
}

async function stopAll(callers: ReadonlyMap<string, UnaryCaller>) {
  return await Promise.all(Array.from(callers, async ([name, caller]) => ({ name, ends: await caller.stop() })))
}

describe('callers with grpc-go, grpc-java and grpc-js', () => {
  it('lose no call during a rolling restart', async () => {
    const { ports, start, balancer, address, credentials } = await twoServers()
    const running = new Map(await Promise.all(ports.map(async (port) => [port, await start(port)] as const)))
    const mint = toBinary(MintTokenRequestSchema, create(MintTokenRequestSchema, { client: credentials }))
    const introspect = create(IntrospectTokenRequestSchema, { client: credentials, token: 'qat_unknown' })
    const minting = startCallers(address, 'MintToken', mint)
    const introspecting = startCallers(address, 'IntrospectToken', toBinary(IntrospectTokenRequestSchema, introspect))
    const wanted = (minting.size + introspecting.size) * CONNECTIONS
    await expect.poll(() => balancer.connections.length).toBeGreaterThanOrEqual(wanted)
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const port of ports) {
        await sleep(BETWEEN_MS)
        const server = running.get(port)
        const open = balancer.connections.filter((each) => each.backend === port && !each.isClosed)
        // Stops new connections first, as an operator would.
        balancer.withdraw(port)
        server?.child.kill('SIGTERM')
        expect(await server?.ended).toEqual({ code: 0, signal: null })
        // The calls ended before the grace period.
        expect(server?.stderr).not.toContain('the grace period is over')
        for (const { goAways } of open) {
          expect(goAways.map(({ errorCode }) => errorCode)).toEqual(goAways.map(() => 0))
          if (ENDS_IN_TWO_STEPS) expect(goAways.at(0)?.lastStreamId).toBe(MAX_STREAM_ID)
        }
        running.set(port, await start(port))
        balancer.readmit(port)
      }
    }
    const ended = [...(await stopAll(minting)), ...(await stopAll(introspecting))]
    // A caller without a running call closes after the first GOAWAY; the others get the last stream id.
    const lastNamed = balancer.connections.flatMap(({ goAways }) => goAways.slice(1))
    if (ENDS_IN_TWO_STEPS) expect(lastNamed.length).toBeGreaterThan(0)
    for (const { lastStreamId } of lastNamed) expect(lastStreamId).toBeLessThan(MAX_STREAM_ID)
    for (const { name, ends } of ended) expect({ name, ends: Object.keys(ends) }).toEqual({ name, ends: ['OK'] })
  }, 1_200_000)

  it('get UNAVAILABLE, and no other error, when a server is killed', async () => {
    const { ports, start, balancer, address, credentials } = await twoServers()
    const running = new Map(await Promise.all(ports.map(async (port) => [port, await start(port)] as const)))
    const request = toBinary(MintTokenRequestSchema, create(MintTokenRequestSchema, { client: credentials }))
    const callers = startCallers(address, 'MintToken', request)
    const wanted = callers.size * CONNECTIONS
    await expect.poll(() => balancer.connections.length).toBeGreaterThanOrEqual(wanted)
    for (let kill = 0; kill < KILLS; kill += 1) {
      await sleep(BETWEEN_MS)
      const port = ports[kill % ports.length] ?? 0
      running.get(port)?.child.kill('SIGKILL')
      balancer.withdraw(port)
      await running.get(port)?.ended
      running.set(port, await start(port))
      balancer.readmit(port)
    }
    await sleep(BETWEEN_MS)
    for (const { name, ends } of await stopAll(callers)) {
      const unexpected = Object.keys(ends).filter((end) => !/^(OK$|unavailable:)/i.test(end))
      expect({ name, unexpected }).toEqual({ name, unexpected: [] })
      expect(ends['OK']).toBeGreaterThan(0)
    }

    const known = balancer.connections.length
    const after = startCallers(address, 'MintToken', request)
    await expect.poll(() => balancer.connections.length - known).toBeGreaterThanOrEqual(wanted)
    await sleep(BETWEEN_MS)
    for (const { name, ends } of await stopAll(after)) {
      expect({ name, ends: Object.keys(ends) }).toEqual({ name, ends: ['OK'] })
    }
  }, 1_200_000)
})
