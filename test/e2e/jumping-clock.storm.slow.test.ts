import { writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { sqliteFiles } from '../setup/fresh-database.ts'
import { scaled } from '../setup/scale.ts'
import { temporaryDirectory } from './process.ts'
import { restartableServer } from './restartable-server.ts'

const CLOCK = resolve(import.meta.dirname, '..', 'setup', 'jumping-clock.ts')
const HOUR = 3_600_000
const JUMPS = scaled(40, 4)
const CALLERS = 8

it(`a machine whose clock jumps by an hour, forwards and backwards, answers every call (${JUMPS} of 40 jumps)`, async () => {
  const file = join(await temporaryDirectory(), 'clock')
  const server = await restartableServer(sqliteFiles, {
    NODE_OPTIONS: `--import=${CLOCK}`,
    QSCOPE_TEST_CLOCK_FILE: file,
  })
  const running = await server.start()
  const { client } = server.admin
  const ids = new Set<string>()
  let answered = 0
  let jumping = true
  const minting = async () => {
    while (jumping) {
      const { token } = await server.call(TokenService.method.mintToken, { client })
      ids.add(token?.tokenId ?? '')
      answered += 1
    }
  }
  const callers = Promise.all(Array.from({ length: CALLERS }, minting))
  for (let jump = 0; jump < JUMPS; jump += 1) {
    writeFileSync(file, String(jump % 2 === 0 ? HOUR : -HOUR))
    running.child.kill('SIGUSR2')
    const before = answered
    await sleep(100)
    while (answered < before + 2 * CALLERS) await sleep(10)
  }
  jumping = false
  await callers
  expect(ids.size).toBe(answered)
  running.child.kill('SIGTERM')
  expect(await running.ended).toEqual({ code: 0, signal: null })

  // These commands use the real clock, and find events in its future.
  expect((await server.command('audit', 'verify')).code).toBe(0)
  const { findings } = JSON.parse((await server.command('doctor', '--json')).stdout)
  expect(findings).toContainEqual({
    check: 'clock',
    state: 'problem',
    finding: expect.stringMatching(/^the newest audit event is 3\d{3} s in the future$/),
    advice: 'correct the clock of this machine, or of the instance that wrote the event',
  })
}, 300_000)
