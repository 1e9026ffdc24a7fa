import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { expectSound } from '../cluster/what-holds.ts'
import { Refused, refusalOf } from '../setup/client.ts'
import { onEveryKind } from '../setup/every-kind.ts'
import type { Tokens } from '../setup/grants.ts'
import { scaled } from '../setup/scale.ts'
import { seededRandom, testSeed } from '../setup/seeded-random.ts'
import { type RedemptionLoad, redemptionLoad, type Spent } from './every-redemption.ts'
import { restartableServer } from './restartable-server.ts'

const ROUNDS = scaled(20)
const SEED = testSeed()
/** Milliseconds after the start of the load. */
const EARLIEST_MS = 400
const LATEST_MS = 1_600

const MINUTES_MS = 600_000
const BATCH = 1_000

/** How many of these attempts succeed; the others are refused as spent. */
async function successes(attempts: readonly Promise<Tokens>[]): Promise<number> {
  const ended = await Promise.allSettled(attempts)
  for (const each of ended) {
    if (each.status === 'rejected') {
      expect(each.reason).toBeInstanceOf(Refused)
      expect(each.reason).toMatchObject({ reason: 'OAUTH_INVALID_GRANT' })
    }
  }
  return ended.filter(({ status }) => status === 'fulfilled').length
}

/** Of concurrent attempts, an answered code can be redeemed by none, and an unanswered one by at most one. */
async function expectSpentOnce<T>(spent: readonly Spent<T>[], spend: (what: T) => Promise<Tokens>): Promise<void> {
  for (const { what, tokens } of spent) {
    const again = await successes([spend(what), spend(what)])
    expect(again).toBeLessThanOrEqual(tokens === null ? 1 : 0)
  }
}

async function expectAnswersKept({ grants, active, revoked }: RedemptionLoad): Promise<void> {
  const activeAmong = async (tokens: readonly string[]) => {
    let count = 0
    for (let from = 0; from < tokens.length; from += BATCH) {
      const looks = tokens.slice(from, from + BATCH).map((token) => grants.isActive(token))
      count += (await Promise.all(looks)).filter(Boolean).length
    }
    return count
  }
  expect(await activeAmong([...active])).toBe(active.size)
  expect(await activeAmong([...revoked])).toBe(0)
}

onEveryKind('a server on $name killed under mixed load', (kind) => {
  it(
    `loses no answered write, and accepts no code or token twice (${ROUNDS} of 20 kills)`,
    async () => {
      console.info(`killed at moments of QSCOPE_TEST_SEED=${SEED}`)
      const random = seededRandom(SEED)
      const server = await restartableServer(kind)
      let running = await server.start()
      const load = await redemptionLoad(server)
      const { grants, client } = load
      let spent = 0
      for (let round = 0; round < ROUNDS; round += 1) {
        const ending = load.untilItEnds()
        await sleep(EARLIEST_MS + random() * (LATEST_MS - EARLIEST_MS))
        running.child.kill('SIGKILL')
        expect((await running.ended).signal).toBe('SIGKILL')
        const { codes, devices } = await ending
        running = await server.start()
        // Before the attempts to redeem again, since these revoke the tokens of a code.
        await expectAnswersKept(load)
        for (const { tokens } of [...codes, ...devices]) {
          if (tokens !== null) expect(await grants.isActive(tokens.accessToken)).toBe(true)
        }
        await expectSpentOnce(codes, (code) => grants.exchangeCode(client, code))
        await expectSpentOnce(devices, (device) => grants.redeemDevice(client, device))
        spent += codes.length + devices.length
      }
      for (const { refreshTokens } of load.families) {
        const newest = refreshTokens.at(-1) ?? ''
        // Within the replay window a lost answer is repeated, also after a kill.
        const next = await grants.refresh(client, newest)
        expect((await grants.refresh(client, newest)).refreshToken).toBe(next.refreshToken)
        const last = await grants.refresh(client, next.refreshToken)
        for (const spentOrRevoked of [newest, last.refreshToken]) {
          expect((await refusalOf(grants.refresh(client, spentOrRevoked))).reason).toBe('OAUTH_INVALID_GRANT')
        }
      }
      expect(load.undeserved).toEqual([])
      expect(load.active.size).toBeGreaterThan(ROUNDS)
      expect(spent).toBeGreaterThan(0)
      await expectSound(server.database.query)

      running.child.kill('SIGTERM')
      expect((await running.ended).code).toBe(0)
      const verified = await server.command('audit', 'verify', '--json')
      expect(verified.code).toBe(0)
      expect(JSON.parse(verified.stdout)).toMatchObject({ valid: true, breaks: [] })
    },
    MINUTES_MS,
  )
})
