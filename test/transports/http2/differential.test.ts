import { createServer, type Http2Server as NodeServer, type ServerHttp2Stream } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { seededRandom, testSeed } from '../../setup/seeded-random.ts'
import { type Echo, Peer, startEcho } from './peer.ts'
import { conversation, honestFrames, mutated } from './traffic.ts'
import { FLAG, frame, TYPE } from './wire.ts'

const seed = testSeed()
const REQUESTS = 8
const MARK = Buffer.from('the end.')
let echo: Echo
let node: NodeServer

beforeAll(async () => {
  // Its limits are those of Node.js where they decide what is accepted.
  echo = await startEcho({ minPingIntervalMs: 0 })
  node = createServer()
  node.on('sessionError', () => undefined)
  node.on('stream', echoOn)
  await new Promise<void>((resolve) => node.listen(0, '127.0.0.1', resolve))
})
afterAll(async () => {
  await echo.stop()
  node.close()
})

/** Answers like EchoApplication. */
function echoOn(stream: ServerHttp2Stream, headers: Readonly<Record<string, string | string[] | undefined>>): void {
  const chunks: Buffer[] = []
  stream.on('error', () => undefined)
  stream.on('data', (chunk: Buffer) => chunks.push(chunk))
  stream.on('end', () => {
    // `end` may still be emitted after the stream is reset or its session has ended.
    if (stream.destroyed || stream.closed) return
    stream.respond({ ':status': 200, 'content-type': 'text/plain' })
    stream.end(Buffer.concat([Buffer.from(`${stream.id} ${headers[':path']} `), ...chunks]))
  })
}

/** The complete answers by stream, and whether the server refused anything. */
async function answersOf(port: number, bytes: Buffer, patienceMs: number) {
  const peer = await Peer.connect(port)
  // After the answer to this PING, the server has read all bytes before it.
  peer.send(bytes, frame(TYPE.PING, 0, 0, MARK))
  const isMark = ({ type, payload }: { type: number; payload: Buffer }) => type === TYPE.PING && payload.equals(MARK)
  const expected = new Map<number, string>()
  try {
    await peer.until((each) => isMark(each) || each.type === TYPE.GOAWAY, patienceMs)
    // The last requests may be answered one turn later.
    peer.send(frame(TYPE.PING, 0, 0, Buffer.from('truly so')))
    await peer.until(
      (each) => each.type === TYPE.GOAWAY || (each.type === TYPE.PING && each.payload.toString() === 'truly so'),
      patienceMs,
    )
  } catch {
    // Node.js may close the connection without GOAWAY, or the mark was read as part of a longer frame.
    expected.set(-1, 'closed')
  }
  const refused = peer.frames.some(({ type }) => type === TYPE.GOAWAY || type === TYPE.RST_STREAM) || peer.closed
  for (const { type, flags, stream } of peer.frames) {
    const ends = (type === TYPE.DATA || type === TYPE.HEADERS) && (flags & FLAG.END_STREAM) !== 0
    if (ends) expected.set(stream, peer.contentOf(stream))
  }
  peer.destroy()
  return { refused, answers: expected }
}

const both = async (bytes: Buffer, patienceMs: number) => {
  const { port } = node.address() as AddressInfo
  return { ours: await answersOf(echo.port, bytes, patienceMs), theirs: await answersOf(port, bytes, patienceMs) }
}

describe(`compared with the HTTP/2 server of Node.js, with QSCOPE_TEST_SEED=${seed}`, () => {
  it('valid requests get the same answers', async () => {
    for (let round = 0; round < 40; round += 1) {
      const { ours, theirs } = await both(conversation(honestFrames(seededRandom(seed + round), REQUESTS)), 20_000)
      expect(theirs.answers.size).toBe(REQUESTS)
      expect(ours).toEqual({ refused: false, answers: theirs.answers })
    }
  })

  it('invalid requests get the same answers if both servers answer them', async () => {
    let compared = 0
    for (let round = 0; round < 150; round += 1) {
      const random = seededRandom(seed + round)
      const { ours, theirs } = await both(conversation(mutated(random, honestFrames(random, REQUESTS), 30)), 300)
      for (const [stream, answer] of ours.answers) {
        const other = theirs.answers.get(stream)
        if (other === undefined) continue
        expect(`${seed + round}: ${answer}`).toBe(`${seed + round}: ${other}`)
        compared += 1
      }
    }
    expect(compared).toBeGreaterThan(100)
  })
})
