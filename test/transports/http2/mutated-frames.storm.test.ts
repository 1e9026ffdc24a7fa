import { describe, expect, it } from 'vitest'
import { scaled } from '../../setup/scale.ts'
import { seededRandom, testSeed } from '../../setup/seeded-random.ts'
import { converse, flawOf } from './in-memory.ts'
import { conversation, cutInPieces, honestFrames, mutated } from './traffic.ts'

const FRAMES = scaled(10_000_000)
/** A small number, so that most of a conversation is read before a mutation ends the connection. */
const REQUESTS = 20

describe('mutated frames', () => {
  it('end streams and connections, without an exception, a leak or an answer to another request', async () => {
    const seed = testSeed()
    let [frames, endings, answers] = [0, 0, 0]
    for (let round = 0; frames < FRAMES; round += 1) {
      const random = seededRandom(seed + round)
      const sent = mutated(random, honestFrames(random, REQUESTS), [15, 60, 200][round % 3] ?? 15)
      frames += sent.length
      const bytes = conversation(sent)
      const outcome = await converse(round % 4 === 0 ? cutInPieces(random, bytes, 100) : [bytes])
      const flaw = flawOf(outcome)
      if (flaw !== null) expect.fail(`${flaw}; QSCOPE_TEST_SEED=${seed + round}`)
      answers += outcome.application.calls.length
      endings += Number(outcome.frames.some(({ type }) => type === 7))
    }
    // Answers and endings are both frequent, so more than the first frame of each conversation was tested.
    expect(answers).toBeGreaterThan(frames / 30)
    expect(endings).toBeGreaterThan(frames / 1_000)
  }, 3_600_000)
})
