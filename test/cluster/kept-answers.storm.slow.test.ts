import { describe, expect, it, onTestFinished } from 'vitest'
import { KeyService } from '../../src/gen/qscope/v1/key_service_pb.ts'
import { databaseKinds, type FreshDatabase } from '../setup/fresh-database.ts'
import { inFull, scaled } from '../setup/scale.ts'
import { seededRandom, testSeed } from '../setup/seeded-random.ts'
import { startServer, type TestServer } from '../setup/server.ts'
import { KINDS, type Kind, SubjectMaker } from './revocation-kinds.ts'
import { UnrulyProxy } from './unruly-proxy.ts'
import { type TokenRecord, VerifierWatch } from './verifier-watch.ts'

/** Fewer than their share where not in full: each takes a dozen calls. */
const REVOCATIONS = inFull ? 100_000 : scaled(2_500, 60)
const MS_PER_REVOCATION = 60
/** So many are made and ended at once. */
const AT_ONCE = 12
const BOUND_MS = 3_000
const HOUR_MS = 3_600_000
const FORMATS = ['opaque', 'jwt'] as const

/** Two that keep answers and two that verify JWTs by themselves, with clocks that are an hour ahead or behind. */
const VERIFIERS = [
  { name: 'keeps answers, an hour ahead', offline: false, wallOffsetMs: HOUR_MS },
  { name: 'keeps answers, an hour behind', offline: false, wallOffsetMs: -HOUR_MS },
  { name: 'offline, an hour ahead', offline: true, wallOffsetMs: HOUR_MS },
  { name: 'offline, an hour behind', offline: true, wallOffsetMs: -HOUR_MS },
] as const

interface Storm {
  readonly servers: readonly TestServer[]
  readonly records: TokenRecord[]
  readonly random: () => number
}

/** Makes tokens and ends them, in every way and on any server, until there were enough revocations. */
async function revokeAtRandom({ servers, records, random }: Storm, count: number): Promise<Map<Kind, number>> {
  const pick = <T>(of: readonly T[]): T => of[Math.floor(random() * of.length)] as T
  const makers = FORMATS.map((format) => new SubjectMaker(servers[0] as TestServer, format))
  const ended = new Map<Kind, number>()
  let left = count
  const worker = async () => {
    while (left > 0) {
      left -= 1
      const kind = KINDS[left % KINDS.length] as Kind
      const subject = await pick(makers).make(kind, pick(servers))
      const own = subject.tokens.map((value): TokenRecord => ({ value, state: 'good', since: performance.now() }))
      records.push(...own)
      const change = async (state: 'good' | 'ended', call: (on: TestServer) => Promise<unknown>) => {
        await new Promise((resolve) => setTimeout(resolve, random() * 1_500))
        for (const record of own) record.state = 'changing'
        await call(pick(servers))
        for (const record of own) Object.assign(record, { state, since: performance.now() })
      }
      await change('ended', subject.end)
      ended.set(kind, (ended.get(kind) ?? 0) + 1)
      if (subject.restore === undefined || random() < 0.5) continue
      await change('good', subject.restore)
      await change('ended', subject.end)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
  return ended
}

/** A token that is good until somebody ends it. */
async function goodRecords(maker: SubjectMaker, on: TestServer): Promise<readonly TokenRecord[]> {
  const { tokens } = await maker.make('token', on)
  return tokens.map((value) => ({ value, state: 'good', since: performance.now() }))
}

function p(values: readonly number[], part: number): number {
  return Math.round(values.toSorted((a, b) => a - b)[Math.floor(values.length * part)] ?? Number.NaN)
}

for (const kind of databaseKinds) {
  describe.skipIf(!kind.available)(`verifiers that keep what they verified, on ${kind.name}`, () => {
    it(
      `refuse what was revoked within their bound, and nothing that is good (${REVOCATIONS} revocations)`,
      async () => {
        const seed = testSeed()
        const random = seededRandom(seed)
        const database: FreshDatabase = await kind.createMigrated()
        onTestFinished(() => database.drop())
        const one = await startServer(database.url)
        onTestFinished(() => one.stop())
        const two = await startServer(database.url, one.keyring, one.first)
        onTestFinished(() => two.stop())
        const servers = [one, two]
        const { clientId, clientSecret } = await one.registerClient({ scopes: ['orders.read'] })
        const maker = new SubjectMaker(one, 'opaque')
        const standing = await Promise.all(Array.from({ length: 5 }, () => goodRecords(maker, one)))
        const records: TokenRecord[] = []
        const watches = await Promise.all(
          VERIFIERS.map(async ({ name, offline, wallOffsetMs }, n) => {
            const proxy = await UnrulyProxy.start(
              servers.map(({ address }) => address),
              random,
            )
            const watch = new VerifierWatch({
              name,
              address: proxy.address,
              caller: { clientId, clientSecret },
              issuer: offline ? one.issuer : null,
              boundMs: BOUND_MS,
              wallOffsetMs,
              monotonicOffsetMs: n * 1_000_000,
              standing: standing.flat(),
              records,
              random,
            })
            onTestFinished(async () => {
              await watch.stop()
              proxy.close()
            })
            return { watch, proxy }
          }),
        )
        const begun = performance.now()
        const ended = await revokeAtRandom({ servers, records, random }, REVOCATIONS)
        // The key that signed: all JWTs end with it.
        const bearer = { bearer: one.admin.token }
        const { keys } = await one.call(KeyService.method.listSigningKeys, {}, bearer)
        const signed = new SubjectMaker(one, 'jwt')
        const last = await Promise.all(Array.from({ length: 10 }, () => goodRecords(signed, two)))
        const own = last.flat()
        records.push(...own)
        await new Promise((resolve) => setTimeout(resolve, 500))
        for (const record of own) record.state = 'changing'
        for (const { keyId } of keys) {
          await two.call(KeyService.method.revokeSigningKey, { keyId, reason: 'test' }, bearer)
        }
        for (const record of own) Object.assign(record, { state: 'ended', since: performance.now() })
        await new Promise((resolve) => setTimeout(resolve, 2 * BOUND_MS))

        for (const { proxy } of watches) proxy.calm()
        await expect.poll(() => watches.every(({ watch }) => watch.isCurrent), { timeout: 30_000 }).toBe(true)
        for (const { watch } of watches) {
          const gone = records.filter(({ state }) => state === 'ended').slice(-200)
          expect(await watch.countAccepted(gone)).toBe(0)
          await watch.stop()
        }
        const delays = watches.flatMap(({ watch }) => watch.delays)
        console.info(
          `${kind.name} (seed ${seed}): ${REVOCATIONS} revocations in ${Math.round((performance.now() - begun) / 60_000)} min, ${JSON.stringify(Object.fromEntries(ended))}; refused after ${p(delays, 0.5)} ms (p50), ${p(delays, 0.99)} ms (p99); ${watches
            .map(({ watch: { counts }, proxy }) => `${JSON.stringify(counts)} over ${proxy.connections} connections`)
            .join('; ')}`,
        )
        expect(watches.flatMap(({ watch }) => watch.faults)).toEqual([])
        expect([...ended.keys()].toSorted()).toEqual([...KINDS].toSorted())
        for (const { watch } of watches) {
          expect(watch.counts.fromMemory).toBeGreaterThan(0)
          expect(watch.counts.refused).toBeGreaterThan(0)
        }
      },
      60_000 + REVOCATIONS * MS_PER_REVOCATION,
    )
  })
}
