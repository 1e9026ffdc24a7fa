import { Server } from 'node:net'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { OpenTransport } from '../../src/transports/grpc/transport.ts'
import { NativeTransport } from '../../src/transports/grpc-native/transport.ts'
import { openHarness, tokenRoutes } from './grpc/harness.ts'
import { startHttp } from './http/harness.ts'

const harness = await openHarness()
const { startServer } = harness

const openNative: OpenTransport = (settings) => new NativeTransport(settings)

describe.each([
  ['gRPC', () => startServer(tokenRoutes(), { transport: openNative })],
  ['HTTP', () => startHttp(harness, tokenRoutes())],
])('the port of %s', (port, start) => {
  afterEach(() => void vi.restoreAllMocks())

  it('logs the accepts that fail, at most a line in ten seconds, and listens on', async () => {
    const listen = vi.spyOn(Server.prototype, 'listen')
    const { lines } = await start()
    const [listener] = listen.mock.contexts.slice(-1)
    if (!(listener instanceof Server)) throw new Error('nothing listens')
    const now = vi.spyOn(performance, 'now')
    const failAt = (ms: number) => {
      now.mockReturnValueOnce(1_000_000 + ms)
      listener.emit('error', new Error('accept EMFILE'))
    }
    for (const ms of [0, 1, 9_999, 10_000]) failAt(ms)
    const logged = lines.filter(({ msg }) => msg === 'a connection could not be accepted')
    const err = expect.objectContaining({ message: 'accept EMFILE' })
    expect(logged).toEqual([
      expect.objectContaining({ level: 50, port, unlogged: 0, err }),
      expect.objectContaining({ level: 50, port, unlogged: 2, err }),
    ])
    expect(listener.listening).toBe(true)
  })
})
