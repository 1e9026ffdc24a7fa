import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf'
import { Server, status } from '@grpc/grpc-js'
import { expect, onTestFinished, test, vi } from 'vitest'
import { DeviceService } from '../../src/gen/qscope/v1/device_service_pb.ts'
import { byteMethod, grpcPortOf } from '../setup/grpc-servers.ts'
import { runHere } from './in-process.ts'

const TIMEOUT = 60_000
/** What the pace of a login never goes below, less what a timer may be early. */
const SHORTEST_MS = 990

type Answer = (error: object | null, bytes?: Buffer) => void
type Started = MessageInitShape<typeof DeviceService.method.startDeviceAuthorization.output>

/** A server that starts device authorizations, and refuses each poll; when it was called, in ms. */
async function givenServer(started: Started) {
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
        answer({ code: status.PERMISSION_DENIED, details: 'refused' })
      },
    },
  )
  const port = await grpcPortOf(server)
  onTestFinished(() => server.forceShutdown())
  return { address: `127.0.0.1:${port}`, calls }
}

test(
  'qscope login does not poll faster because a server says so',
  async () => {
    const { address, calls } = await givenServer({
      deviceCode: 'code',
      userCode: 'BCDF-GHJK',
      verificationUri: 'https://login.example/device',
      expiresIn: { seconds: 600n },
      interval: { nanos: 1 },
    })
    for (const name of ['QSCOPE_SERVER', 'QSCOPE_CONTEXT', 'QSCOPE_CLIENT_ID', 'QSCOPE_TOKEN'])
      vi.stubEnv(name, undefined)
    vi.stubEnv('XDG_CONFIG_HOME', mkdtempSync(join(tmpdir(), 'qscope-hostile-')))
    onTestFinished(() => void vi.unstubAllEnvs())
    expect((await runHere(['context', 'set', 'hostile', '--server', address])).code).toBe(0)
    const { code, stderr } = await runHere(['login', '--client-id', 'cli'])
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining('PERMISSION_DENIED: refused') })
    const [started = 0, polled = 0] = calls
    expect(calls).toHaveLength(2)
    expect(polled - started).toBeGreaterThan(SHORTEST_MS)
  },
  TIMEOUT,
)
