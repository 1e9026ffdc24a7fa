import { describe, expect, it } from 'vitest'
import { seededRandom, testSeed } from '../../setup/seeded-random.ts'
import { converse, flawOf, told } from './in-memory.ts'
import { conversation, cutInPieces, honestFrames, mutated } from './traffic.ts'
import { FLAG, TYPE } from './wire.ts'

const seed = testSeed()
const REQUESTS = 12
const ONE_A_TURN = { maxRequestsPerTurn: 1 }
const SMALL_BUFFERS = { maxSocketBufferBytes: 40, socketBufferBytes: 30 }

describe(`conversations drawn with QSCOPE_TEST_SEED=${seed}`, () => {
  it('are answered completely if they are valid, even though released read buffers are overwritten', async () => {
    for (let round = 0; round < 60; round += 1) {
      const random = seededRandom(seed + round)
      const outcome = await converse([conversation(honestFrames(random, REQUESTS))])
      expect(flawOf(outcome)).toBeNull()
      expect(outcome.frames.filter(({ type }) => type === TYPE.GOAWAY || type === TYPE.RST_STREAM)).toEqual([])
      const complete = outcome.frames.filter(({ type, flags }) => type === TYPE.HEADERS && flags & FLAG.END_STREAM)
      expect(complete).toHaveLength(REQUESTS)
      expect(outcome.application.calls).toHaveLength(REQUESTS)
    }
  })

  it('valid and invalid ones get the same answers for every split of their bytes', async () => {
    for (let round = 0; round < 100; round += 1) {
      const random = seededRandom(seed + round)
      const frames = honestFrames(random, REQUESTS)
      const bytes = conversation(round % 2 === 0 ? frames : mutated(random, frames, 40))
      const whole = await converse([bytes])
      expect(flawOf(whole)).toBeNull()
      for (const longest of [3, 30, 300]) {
        const cut = await converse(cutInPieces(random, bytes, longest))
        expect(flawOf(cut)).toBeNull()
        expect(told(cut)).toEqual(told(whole))
      }
    }
  })

  it('get the same answers if the server pauses often', async () => {
    for (let round = 0; round < 50; round += 1) {
      const random = seededRandom(seed + round)
      const frames = honestFrames(random, REQUESTS)
      const isHonest = round % 2 === 0
      const bytes = conversation(isHonest ? frames : mutated(random, frames, 40))
      const whole = await converse([bytes])
      // An invalid frame closes the connection, and drops the answers that wait for the socket.
      for (const limits of isHonest ? [ONE_A_TURN, SMALL_BUFFERS] : [ONE_A_TURN]) {
        const paused = await converse(cutInPieces(random, bytes, 200), limits)
        expect(flawOf(paused)).toBeNull()
        expect(told(paused)).toEqual(told(whole))
      }
    }
  })
})
