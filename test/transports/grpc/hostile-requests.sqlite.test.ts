import { status } from '@grpc/grpc-js'
import { describe, expect, it } from 'vitest'
import { TokenService } from '../../../src/gen/qscope/v1/token_service_pb.ts'
import { success } from '../../../src/results.ts'
import { call, detailsOf, openHarness, tokenRoutes } from './harness.ts'

const { startServer } = await openHarness()

const { batchMintTokens } = TokenService.method
const MEGABYTE = 1024 * 1024

/** The pattern, repeated up to the maximum size of a message. */
function flood(head: readonly number[], pattern: readonly number[]): Uint8Array {
  const count = Math.floor((MEGABYTE - 64 - head.length) / pattern.length)
  const bytes = new Uint8Array(head.length + count * pattern.length)
  bytes.set(head)
  for (let at = 0; at < count; at += 1) bytes.set(pattern, head.length + at * pattern.length)
  return bytes
}

const hostile: readonly (readonly [string, Uint8Array])[] = [
  ['an inner field that overruns its message', flood([0x0a, 0x02, 0x0a, 0x03, 0x61, 0x62, 0x63], [0x12, 0x00])],
  ['a text that is sent as a number', flood([0x0a, 0x02, 0x08, 0x01], [0x12, 0x00])],
  ['a message that is sent as a group', flood([0x0b, 0x0c], [0x12, 0x00])],
  ['a number beyond ten bytes', flood([0x78, ...new Array(11).fill(0x80), 0x00], [0x12, 0x00])],
  ['an end of a group that never began', flood([0x7c], [0x12, 0x00])],
  ['a group that holds the rest', flood([0x7b], [0x12, 0x00])],
  ['a field without a number', flood([0x00, 0x00], [0x12, 0x00])],
  ['a length of 64 bits', flood([0x0a, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01], [0x12, 0x00])],
  ['the client over and over', flood([], [0x0a, 0x00])],
  ['both proofs of a client over and over', flood([0x0a, 0x80, 0x80, 0x40], [0x12, 0x00, 0x1a, 0x00])],
  ['unknown fields', flood([], [0x78, 0x00])],
]

describe('an unauthenticated message of a megabyte', () => {
  it.each(hostile)('with %s is refused before it is decoded', async (_what, bytes) => {
    const server = await startServer(tokenRoutes({ batchMintTokens: async () => success({}) }))
    for (let times = 0; times < 5; times += 1) {
      const { error } = await call(server.client, batchMintTokens, bytes)
      expect(error?.code).toBe(status.INVALID_ARGUMENT)
      expect(detailsOf(error)?.info?.reason).toBe('OAUTH_INVALID_REQUEST')
    }
    const durations = server.lines.filter(({ msg }) => msg === 'call').map(({ durationMs }) => Number(durationMs))
    // Ten times the expected duration, because the machine may be busy.
    expect(Math.min(...durations)).toBeLessThan(200)
  })
})
