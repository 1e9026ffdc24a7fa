import { setTimeout as sleep } from 'node:timers/promises'
import { expect, onTestFinished } from 'vitest'
import { KeyService } from '../../src/gen/qscope/v1/key_service_pb.ts'
import { seededRandom, testSeed } from '../setup/seeded-random.ts'
import { type Instance, ISSUER } from './instances.ts'
import { KINDS, SubjectMaker } from './revocation-kinds.ts'
import { RevocationStorm } from './revocation-storm.ts'
import { TokenBook, type TokenRecord } from './token-book.ts'
import { UnrulyProxy } from './unruly-proxy.ts'
import { VerifierWatch } from './verifier-watch.ts'

/** The bound of the verifiers. */
const BOUND_MS = 3_000
const HOUR_MS = 3_600_000
/** Longer than any outage, and than any call. */
const STALLED_MS = 180_000
const STANDING = 5
const SIGNED = 10

/** Two that ask about each token once and two that verify JWTs offline, with clocks that are an hour ahead or behind. */
const VERIFIERS = [
  { name: 'keeps answers, an hour ahead', offline: false, wallOffsetMs: HOUR_MS },
  { name: 'keeps answers, an hour behind', offline: false, wallOffsetMs: -HOUR_MS },
  { name: 'offline, an hour ahead', offline: true, wallOffsetMs: HOUR_MS },
  { name: 'offline, an hour behind', offline: true, wallOffsetMs: -HOUR_MS },
] as const

type Instances = readonly [Instance, ...Instance[]]

/** Random revocations, and caching verifiers, each over a faulty network to all instances. */
export class WatchedStorm {
  readonly storm: RevocationStorm
  readonly #instances: Instances
  readonly #seed: number
  readonly #book: TokenBook
  readonly #standing: readonly TokenRecord[]
  readonly #verifiers: readonly { readonly watch: VerifierWatch; readonly proxy: UnrulyProxy }[]
  readonly #begunMs = performance.now()

  private constructor(
    instances: Instances,
    seed: number,
    book: TokenBook,
    standing: readonly TokenRecord[],
    verifiers: readonly { readonly watch: VerifierWatch; readonly proxy: UnrulyProxy }[],
    storm: RevocationStorm,
  ) {
    this.#instances = instances
    this.#seed = seed
    this.#book = book
    this.#standing = standing
    this.#verifiers = verifiers
    this.storm = storm
  }

  static async start(instances: readonly Instance[]): Promise<WatchedStorm> {
    const [one, ...others] = instances
    if (one === undefined) throw new Error('a storm needs an instance')
    const seed = testSeed()
    const random = seededRandom(seed)
    const book = new TokenBook(random)
    const { clientId, clientSecret } = await one.registerClient({ scopes: ['orders.read'] })
    const standing = await goodTokens(one, 'opaque', STANDING)
    const verifiers = await Promise.all(
      VERIFIERS.map(async ({ name, offline, wallOffsetMs }, n) => {
        const proxy = await UnrulyProxy.start(
          instances.map(({ address }) => address),
          random,
        )
        const watch = new VerifierWatch({
          name,
          address: proxy.address,
          caller: { clientId, clientSecret },
          issuer: offline ? ISSUER : null,
          boundMs: BOUND_MS,
          wallOffsetMs,
          monotonicOffsetMs: n * 1_000_000,
          standing,
          book,
          random,
        })
        onTestFinished(async () => {
          await watch.stop()
          proxy.close()
        })
        return { watch, proxy }
      }),
    )
    const storm = new RevocationStorm([one, ...others], book, random)
    return new WatchedStorm([one, ...others], seed, book, standing, verifiers, storm)
  }

  /** Revokes tokens while the work runs. */
  async during(work: () => Promise<void>): Promise<void> {
    let isOver = false
    const running = this.storm.run(() => !isOver)
    try {
      // A failure of the revocations ends the wait for the work.
      await Promise.race([work(), running])
    } finally {
      isOver = true
    }
    await running
  }

  /** Resolves after a number of further answered revocations; throws when there are no more. */
  async untilAnswered(more: number): Promise<void> {
    const wanted = this.storm.answered + more
    let last = { answered: this.storm.answered, at: performance.now() }
    while (last.answered < wanted) {
      await sleep(50)
      const { answered } = this.storm
      if (answered > last.answered) last = { answered, at: performance.now() }
      else if (performance.now() > last.at + STALLED_MS)
        throw new Error(`of ${wanted} revocations ${answered} were answered`)
    }
  }

  /** Revokes the signing keys, stops the faults of the network, and checks the answers of all verifiers. */
  async expectKept(what: string): Promise<void> {
    await this.#revokeSigningKeys()
    await sleep(2 * BOUND_MS)
    const watches = this.#verifiers.map(({ watch }) => watch)
    for (const { proxy } of this.#verifiers) proxy.calm()
    await expect.poll(() => watches.every(({ isCurrent }) => isCurrent), { timeout: 60_000 }).toBe(true)
    for (const watch of watches) {
      expect(await watch.countAccepted(this.#book.someEnded())).toBe(0)
      expect(await watch.countAccepted(this.#standing)).toBe(STANDING)
      await watch.stop()
    }
    console.info(this.#told(what))
    expect(watches.flatMap(({ faults }) => faults)).toEqual([])
    expect([...this.storm.ended.keys()].toSorted()).toEqual([...KINDS].toSorted())
    for (const { counts } of watches) {
      for (const count of [counts.fromMemory, counts.refused, counts.heldToBound]) expect(count).toBeGreaterThan(0)
    }
  }

  /** Revokes all JWTs by revoking their signing keys. */
  async #revokeSigningKeys(): Promise<void> {
    const [one] = this.#instances
    const bearer = { bearer: one.admin.token }
    const { keys } = await one.call(KeyService.method.listSigningKeys, {}, bearer)
    const records = this.#book.add((await goodTokens(one, 'jwt', SIGNED)).map(({ value }) => value))
    await sleep(500)
    this.#book.isChanging(records)
    for (const { keyId } of keys) {
      await one.call(KeyService.method.revokeSigningKey, { keyId, reason: 'test' }, bearer)
    }
    this.#book.isNow('ended', records)
  }

  #told(what: string): string {
    const { answered, ended, refusals } = this.storm
    const delays = this.#verifiers.flatMap(({ watch }) => watch.delays).toSorted((a, b) => a - b)
    const p = (part: number) => Math.round(delays[Math.floor(delays.length * part)] ?? Number.NaN)
    const minutes = ((performance.now() - this.#begunMs) / 60_000).toFixed(1)
    const verifiers = this.#verifiers.map(
      ({ watch: { counts }, proxy }) => `${JSON.stringify(counts)} over ${proxy.connections} connections`,
    )
    return `${what} (seed ${this.#seed}): ${answered} revocations in ${minutes} min, ${JSON.stringify(Object.fromEntries(ended))}, ${refusals.length} calls not answered; gone from memory after ${p(0.5)} ms (p50), ${p(0.99)} ms (p99); ${verifiers.join('; ')}`
  }
}

/** Tokens that are valid until they are revoked. */
async function goodTokens(on: Instance, format: 'opaque' | 'jwt', count: number): Promise<readonly TokenRecord[]> {
  const maker = new SubjectMaker(on, format)
  const subjects = await Promise.all(Array.from({ length: count }, () => maker.make('token', on)))
  return subjects.flatMap(({ tokens }) =>
    tokens.map((value): TokenRecord => ({ value, state: 'good', since: performance.now() })),
  )
}
