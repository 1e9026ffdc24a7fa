import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf'
import { Metadata, Server, status } from '@grpc/grpc-js'
import { expect, onTestFinished, test, vi } from 'vitest'
import { StatusSchema } from '../../src/gen/google/rpc/status_pb.ts'
import { DeviceService } from '../../src/gen/qscope/v1/device_service_pb.ts'
import { toRpcStatus } from '../../src/rpc/rpc-status.ts'
import { byteMethod, grpcPortOf } from '../setup/grpc-servers.ts'
import { runHere } from './in-process.ts'

const TIMEOUT = 60_000
const EARLY_MS = 10
/** The shortest interval of polls, less the error of a timer. */
const SHORTEST_MS = 1_000 - EARLY_MS

type Answer = (error: object | null, bytes?: Buffer) => void
type Started = MessageInitShape<typeof DeviceService.method.startDeviceAuthorization.output>

/** A server that starts device authorizations, and refuses polls in this order; records the times of calls, in ms. */
async function givenServer(started: Started, refusals: readonly object[] = [{}]) {
  const calls: number[] = []
  const server = new Server()
  const { startDeviceAuthorization, redeemDeviceCode } = DeviceService.method
  server.addService(
    { start: byteMethod(startDeviceAuthorization), redeem: byteMethod(redeemDeviceCode) },
    {
      start: (_call: unknown, answer: Answer) => {
        calls.push(performance.now())
        const message = create(startDeviceAuthorization.output, started)
        answer(null, Buffer.from(toBinary(startDeviceAuthorization.output, message)))
      },
      redeem: (_call: unknown, answer: Answer) => {
        calls.push(performance.now())
        const refusal = refusals[calls.length - 2] ?? {}
        answer({ code: status.PERMISSION_DENIED, details: 'refused', ...refusal })
      },
    },
  )
  const port = await grpcPortOf(server)
  onTestFinished(() => server.forceShutdown())
  return { address: `127.0.0.1:${port}`, calls }
}

const STARTED: Started = {
  deviceCode: 'code',
  userCode: 'BCDF-GHJK',
  verificationUri: 'https://login.example/device',
  expiresIn: { seconds: 600n },
}

/** Logs in with a new context to a server that finally refuses. */
async function logInTo(address: string): Promise<void> {
  for (const name of ['QSCOPE_SERVER', 'QSCOPE_CONTEXT', 'QSCOPE_CLIENT_ID', 'QSCOPE_TOKEN'])
    vi.stubEnv(name, undefined)
  vi.stubEnv('XDG_CONFIG_HOME', mkdtempSync(join(tmpdir(), 'qscope-hostile-')))
  onTestFinished(() => void vi.unstubAllEnvs())
  expect((await runHere(['context', 'set', 'hostile', '--server', address])).code).toBe(0)
  const { code, stderr } = await runHere(['login', '--client-id', 'cli'])
  expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining('PERMISSION_DENIED: refused') })
}

test(
  "qscope login does not poll faster on a server's request",
  async () => {
    const { address, calls } = await givenServer({ ...STARTED, interval: { nanos: 1 } })
    await logInTo(address)
    const [started = 0, polled = 0] = calls
    expect(calls).toHaveLength(2)
    expect(polled - started).toBeGreaterThan(SHORTEST_MS)
  },
  TIMEOUT,
)

test(
  'qscope login waits for the interval in slow_down if it is longer than 5 s more',
  async () => {
    const details = { retryAfterMs: 8_000 }
    const refusal = toRpcStatus({ ok: false, code: 'oauth.device.slow_down', details }, 'ray')
    const metadata = new Metadata()
    metadata.set('grpc-status-details-bin', Buffer.from(toBinary(StatusSchema, refusal)))
    const slowDown = { code: status.RESOURCE_EXHAUSTED, details: refusal.message, metadata }
    const { address, calls } = await givenServer({ ...STARTED, interval: { seconds: 1n } }, [slowDown])
    await logInTo(address)
    const [, first = 0, second = 0] = calls
    expect(calls).toHaveLength(3)
    expect(second - first).toBeGreaterThan(details.retryAfterMs - EARLY_MS)
  },
  TIMEOUT,
)
