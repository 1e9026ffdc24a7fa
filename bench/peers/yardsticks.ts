import type { Contestant } from '../run/contestant.ts'
import { connectionsFor } from '../run/contestant.ts'
import { ECHO_PATH, echoMessage } from './echo-message.ts'
import { startPeer } from './peer-process.ts'

export const FLOOR = 'node:http2, fixed frame'
export const ECHO = 'grpc-js echo'
export const NATIVE_ECHO = 'native echo'

export interface Peers {
  readonly contestants: readonly Contestant[]
  stop(): Promise<void>
}

/** The lower bound, the echo to which all ratios refer, and the echo on QScope's own transport. */
export async function startYardsticks(inFlight: number): Promise<Peers> {
  const floor = await startPeer('http2-floor.ts')
  const echo = await startPeer('grpc-echo.ts')
  const nativeEcho = await startPeer('native-echo.ts')
  const contestant = (name: string, { port, pid }: typeof echo): Contestant => ({
    name,
    tokensPerCall: 1,
    watched: { server: pid, database: null },
    job: async (durationMs) => ({
      protocol: 'grpc',
      port,
      path: ECHO_PATH,
      requests: { kind: 'cycle', messages: [echoMessage()] },
      expected: 'some bytes',
      connections: connectionsFor(inFlight),
      inFlight,
      durationMs,
    }),
  })
  return {
    contestants: [contestant(FLOOR, floor), contestant(ECHO, echo), contestant(NATIVE_ECHO, nativeEcho)],
    stop: async () => {
      await Promise.all([floor.stop(), echo.stop(), nativeEcho.stop()])
    },
  }
}
