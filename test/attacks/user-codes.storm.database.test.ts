import { beforeEach, describe, expect, it } from 'vitest'
import { DeviceService, DeviceAuthorizationState as State } from '../../src/gen/qscope/v1/device_service_pb.ts'
import { onEveryBackend } from '../setup/backends.ts'
import { Refused } from '../setup/client.ts'
import { grantsOn } from '../setup/grants.ts'
import { scaled } from '../setup/scale.ts'

const { approveDeviceAuthorization, denyDeviceAuthorization, getDeviceAuthorization } = DeviceService.method
const MINUTE = 60_000
const LETTERS = 'BCDFGHJKLMNPQRSTVWXZ'
/** The limits of guesses: a burst, and a rate per minute. */
const PER_KEY = { burst: 10, perMinute: 1 }
const PER_FRONT_END = { burst: 100, perMinute: 60 }
const MINUTES = scaled(120, 5)

/** The guesses of a search from one end of the codes to the other, as `BCDF-GHJK`. */
function guessOf(index: number): string {
  let code = ''
  for (let rest = index; code.length < 8; rest = Math.floor(rest / LETTERS.length)) {
    code = LETTERS.charAt(rest % LETTERS.length) + code
  }
  return `${code.slice(0, 4)}-${code.slice(4)}`
}

onEveryBackend('brute force on user codes', (server) => {
  const grants = grantsOn(server)
  const user = { id: { case: 'externalId' as const, value: 'guesser' } }
  const device = async () =>
    await grants.startDevice(await grants.deviceClient({ config: { deviceCodeTtl: { seconds: 3_600n } } }))

  beforeEach(async () => {
    server.admin.token = (await grants.mint(server.admin)).accessToken
  })

  async function frontEnd() {
    const { client } = await server.registerClient({ scopes: ['qscope:consent'] })
    // A token lasts an hour, and a search may take longer.
    let bearer = ''
    let renewAt = 0
    const renewed = async () => {
      if (server.clock.now() >= renewAt) {
        renewAt = server.clock.now() + 30 * MINUTE
        bearer = (await grants.mint({ client })).accessToken
      }
      return bearer
    }
    await renewed()
    const judge = async (act: (sent: { readonly bearer: string }) => Promise<unknown>) => {
      try {
        await act({ bearer: await renewed() })
        return 'RIGHT'
      } catch (error) {
        if (error instanceof Refused) return error.reason
        throw error
      }
    }
    let next = 0
    return {
      /** Uses the three methods in rotation. */
      attempt: (userCode: string, attemptKey?: string) => {
        const request = attemptKey === undefined ? { userCode } : { userCode, attemptKey }
        next += 1
        return judge((sent) => {
          if (next % 3 === 0) return server.call(approveDeviceAuthorization, { ...request, user }, sent)
          if (next % 3 === 1) return server.call(denyDeviceAuthorization, request, sent)
          return server.call(getDeviceAuthorization, request, sent)
        })
      },
      look: (userCode: string, attemptKey?: string) =>
        judge((sent) =>
          server.call(getDeviceAuthorization, attemptKey === undefined ? { userCode } : { userCode, attemptKey }, sent),
        ),
    }
  }
  const judged = (outcomes: readonly string[]) => outcomes.filter((outcome) => outcome !== 'LIMIT_EXCEEDED').length

  describe('one end user', () => {
    it(`cannot exceed the burst and rate of guesses in ${MINUTES} minutes with all three methods`, async () => {
      const end = await frontEnd()
      const key = server.unique('session-')
      const outcomes: string[] = []
      for (let minute = 0; minute <= MINUTES; minute += 1) {
        for (let i = 0; i < 15; i += 1) outcomes.push(await end.attempt(guessOf(outcomes.length), key))
        server.clock.advance(MINUTE)
      }
      expect(new Set(outcomes)).toEqual(new Set(['RESOURCE_NOT_FOUND', 'LIMIT_EXCEEDED']))
      // One more minute, because the clock advances by itself too.
      expect(judged(outcomes)).toBeLessThanOrEqual(PER_KEY.burst + (MINUTES + 1) * PER_KEY.perMinute)
    })

    it('cannot look up or decide a correct code beyond the limit', async () => {
      const end = await frontEnd()
      const { userCode } = await device()
      const key = server.unique('session-')
      for (let i = 0; i < PER_KEY.burst; i += 1) await end.look(guessOf(i), key)
      for (let i = 0; i < 6; i += 1) {
        expect([await end.attempt(userCode, key), await end.attempt(guessOf(i), key)]).toEqual([
          'LIMIT_EXCEEDED',
          'LIMIT_EXCEEDED',
        ])
      }
      const request = { userCode }
      const { deviceAuthorization } = await server.call(getDeviceAuthorization, request, grants.bearer())
      expect(deviceAuthorization?.state).toBe(State.PENDING)
    })

    it('gains no guesses by presenting its own correct code in between', async () => {
      const end = await frontEnd()
      const { userCode } = await device()
      const key = server.unique('session-')
      const outcomes: string[] = []
      for (let i = 0; i < 30; i += 1) {
        await end.look(userCode, key)
        outcomes.push(await end.look(guessOf(i), key))
      }
      expect(judged(outcomes)).toBeLessThanOrEqual(PER_KEY.burst + 1)
    })

    it('gains no guesses by other spellings of a code', async () => {
      const end = await frontEnd()
      const key = server.unique('session-')
      const plain = guessOf(7).replace('-', '')
      const spellings = [plain, plain.toLowerCase(), plain.split('').join('-'), ` ${plain} `, plain.split('').join(' ')]
      const outcomes: string[] = []
      for (let i = 0; i < 20; i += 1) outcomes.push(await end.look(spellings[i % spellings.length] ?? '', key))
      expect(judged(outcomes)).toBeLessThanOrEqual(PER_KEY.burst + 1)
    })
  })

  describe('a front end', () => {
    it(`cannot exceed its own limit of guesses in ${MINUTES} minutes, even with new attempt keys`, async () => {
      const end = await frontEnd()
      const started = server.clock.now()
      const outcomes: string[] = []
      for (let minute = 0; minute < MINUTES; minute += 1) {
        const guesses = Array.from({ length: 150 }, (_, i) =>
          end.look(guessOf(outcomes.length + i), i % 5 === 0 ? undefined : server.unique('key-')),
        )
        outcomes.push(...(await Promise.all(guesses)))
        server.clock.advance(MINUTE)
      }
      const minutes = (server.clock.now() - started) / MINUTE
      expect(judged(outcomes)).toBeLessThanOrEqual(Math.ceil(PER_FRONT_END.burst + minutes * PER_FRONT_END.perMinute))
      expect(judged(outcomes)).toBeGreaterThanOrEqual(PER_FRONT_END.burst)
    })

    it('has one limit for all of its tokens', async () => {
      const { client } = await server.registerClient({ scopes: ['qscope:consent'] })
      const reasons: string[] = []
      for (let round = 0; round < 3; round += 1) {
        const { accessToken } = await grants.mint({ client })
        const guesses = Array.from({ length: 60 }, async (_, i) => {
          const request = { userCode: guessOf(i), attemptKey: server.unique('key-') }
          try {
            await server.call(getDeviceAuthorization, request, { bearer: accessToken })
            return 'RIGHT'
          } catch (error) {
            return error instanceof Refused ? error.reason : String(error)
          }
        })
        reasons.push(...(await Promise.all(guesses)))
      }
      // The limit recovers by one a second during the test.
      expect(judged(reasons)).toBeLessThanOrEqual(PER_FRONT_END.burst + 20)
    })

    it('that has used up its limit does not affect others, and recovers soon', async () => {
      const [greedy, honest] = [await frontEnd(), await frontEnd()]
      const { userCode } = await device()
      const key = server.unique('session-')
      await Promise.all(Array.from({ length: 150 }, (_, i) => greedy.look(guessOf(i), server.unique('key-'))))
      expect(await greedy.look(guessOf(1), server.unique('key-'))).toBe('LIMIT_EXCEEDED')
      // The same attempt key at another front end counts separately.
      expect(await honest.look(userCode, key)).toBe('RIGHT')
      expect(await honest.look(userCode)).toBe('RIGHT')
      server.clock.advance(MINUTE)
      expect(await greedy.look(userCode, key)).toBe('RIGHT')
    })
  })
})
