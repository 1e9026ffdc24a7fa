import type { DescMethod } from '@bufbuild/protobuf'
import { type Arbitrary, array, assert, asyncProperty, constant, constantFrom, oneof, record, string } from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ClientType } from '../../src/gen/qscope/v1/client_pb.ts'
import { ClientService } from '../../src/gen/qscope/v1/client_service_pb.ts'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { UserService } from '../../src/gen/qscope/v1/user_service_pb.ts'
import { onEveryBackend } from '../setup/backends.ts'
import { refusalOf } from '../setup/client.ts'
import { scaled } from '../setup/scale.ts'
import { fuzzed } from './fuzz-message.ts'
import { aimAt, type FuzzedCall, type FuzzTarget, type Proof } from './fuzz-target.ts'
import { LIMITS_OFF } from './limits-off.ts'
import { isServerStream, methodsOf, nameOf, reflectServices } from './reflected-methods.ts'
import { type Served, serve } from './served.ts'

/** 100,000 in a full run; a scaled run has a fifth of its share, because generating calls takes time. */
const CALLS = scaled(20_000) < 20_000 ? scaled(20_000) : scaled(100_000)
const AT_ONCE = 20
const MAX_GROWTH = 48 * 1024 * 1024
const replay = process.env['QSCOPE_FUZZ_SEED'] === undefined ? {} : { seed: Number(process.env['QSCOPE_FUZZ_SEED']) }

const proof: Arbitrary<Proof> = oneof(
  { weight: 20, arbitrary: constant<Proof>('right') },
  { weight: 2, arbitrary: constant<Proof>('none') },
  { weight: 1, arbitrary: string({ maxLength: 400 }).map((text) => ({ authorization: `Basic ${btoa(text)}` })) },
  { weight: 1, arbitrary: string({ maxLength: 400 }).map((text) => ({ authorization: `Bearer ${text.trim()}` })) },
)

/** A call of any method. The field `client` is mostly omitted, because the metadata authenticates the caller. */
function callOf(methods: readonly DescMethod[]): Arbitrary<FuzzedCall> {
  const each = methods.map((method) => {
    const clientField = method.input.fields.find(({ name }) => name === 'client')?.number
    const message = record({ fuzzed: fuzzed(method.input), keep: constantFrom(false, false, false, false, true) }).map(
      ({ fuzzed, keep }) =>
        method.parent.name === 'ClientService' || keep
          ? fuzzed
          : { ...fuzzed, fields: fuzzed.fields.filter(({ no }) => no !== clientField) },
    )
    return record({ method: constant(method), message, proof })
  })
  return oneof(...each)
}

/** Sends the calls; a status that no caller can cause is a failure. */
async function attack(target: FuzzTarget, methods: readonly DescMethod[], calls: number): Promise<void> {
  const property = asyncProperty(
    array(callOf(methods), { minLength: AT_ONCE, maxLength: AT_ONCE }),
    async (fuzzedCalls) => {
      const results = await target.fire(fuzzedCalls)
      const bad = fuzzedCalls.flatMap(({ method }, index) => {
        const result = results[index] ?? ''
        const isSlow = result === 'DEADLINE_EXCEEDED' && isServerStream(method)
        const isOurs = /^(UNKNOWN|INTERNAL|UNAVAILABLE|DATA_LOSS|CANCELLED|DEADLINE_EXCEEDED)$/.test(result)
        return isOurs && !isSlow ? [`${nameOf(method)}: ${result}`] : []
      })
      expect(bad).toEqual([])
    },
  )
  await assert(property, { numRuns: Math.ceil(calls / AT_ONCE), endOnFailure: true, ...replay })
}

/** The number of methods that answered OK; it shows that the fuzzer is not refused everywhere. */
function reached(target: FuzzTarget): number {
  return [...target.outcomes.values()].filter((counts) => counts.has('OK')).length
}

describe('a server as a process', () => {
  let served: Served | null = null
  beforeAll(async () => {
    served = await serve()
  })
  afterAll(() => served?.stop())

  it(`answers ${CALLS} fuzzed calls of all methods, without keeping memory`, {
    timeout: 60_000 + CALLS * 20,
  }, async () => {
    if (served === null) throw new Error('the server is not running')
    const methods = methodsOf(await reflectServices(served.address), 'qscope.')
    const target = await aimAt(served.address, served.secret)
    try {
      await attack(target, methods, CALLS / 4)
      const before = await served.heap()
      await attack(target, methods, (CALLS * 3) / 4)
      const grown = (await served.heap()) - before
      expect(await target.isServing()).toBe(true)
      expect(served.isGone()).toBe(false)
      expect(served.log()).not.toMatch(/"level":"(error|fatal)"/)
      expect(grown).toBeLessThan(MAX_GROWTH)
      expect(target.outcomes.size).toBe(methods.length)
      expect(reached(target)).toBeGreaterThan(methods.length / 4)
    } finally {
      target.close()
    }
  })
})

onEveryBackend(
  'fuzzed calls',
  (server) => {
    it('refuses U+0000 in any text, which not every database can hold', async () => {
      const bearer = { bearer: server.admin.token }
      const invalid = { status: 'INVALID_ARGUMENT', reason: 'OAUTH_INVALID_REQUEST' }
      const { getClient, registerClient } = ClientService.method
      expect(await refusalOf(server.call(getClient, { clientId: 'a\0b' }, bearer))).toMatchObject({
        ...invalid,
        violations: ['client_id'],
      })
      for (const metadata of [{ 'team\0': 'x' }, { team: 'a\0b' }, { $unknown: 'a\0b' }, { ['__proto__']: 'a\0b' }]) {
        const registration = { type: ClientType.CONFIDENTIAL, config: { metadata } }
        expect(await refusalOf(server.call(registerClient, registration, bearer))).toMatchObject({
          ...invalid,
          violations: ['config.metadata'],
        })
      }
      const user = { id: { case: 'externalId' as const, value: 'a\0b' } }
      expect(await refusalOf(server.call(UserService.method.getUser, user, bearer))).toMatchObject(invalid)
      for (const sent of [{ basic: ['a\0b', 'x'] as const }, { bearer: 'a\0b'.replace('\0', '%00') }]) {
        const refused = await refusalOf(server.call(TokenService.method.mintToken, {}, sent))
        expect(refused.reason).toBe('OAUTH_INVALID_CLIENT')
      }
    })

    it("are answered with their callers' mistakes", { timeout: 60_000 + CALLS * 5 }, async () => {
      const methods = methodsOf(await reflectServices(server.address), 'qscope.')
      const target = await aimAt(server.address, server.admin.clientSecret)
      try {
        await attack(target, methods, CALLS / 4)
        expect(await target.isServing()).toBe(true)
        expect(server.lines.filter((line) => Number(line['level']) >= 50)).toEqual([])
      } finally {
        target.close()
      }
    })
  },
  { variables: LIMITS_OFF },
)
