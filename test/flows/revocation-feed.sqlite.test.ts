import { afterAll, beforeAll, expect, it } from 'vitest'
import { beginning, positionAt } from '../../src/domain/revocation-position.ts'
import { RevocationFeed } from '../../src/flows/revocations/revocation-feed.ts'
import type { Backend } from '../../src/stores/contract/backend.ts'
import { StoreError } from '../../src/stores/contract/errors.ts'
import type { RevocationReads } from '../../src/stores/contract/revocations.ts'
import { type FreshDatabase, sqliteFiles } from '../setup/fresh-database.ts'
import {
  aClient,
  aToken,
  change,
  context,
  inTransaction,
  mint,
  openMigrated,
  quiet,
  register,
} from '../stores/given.ts'

let database: FreshDatabase
let backend: Backend
beforeAll(async () => {
  database = await sqliteFiles.create()
  backend = await openMigrated(database)
  await register(backend, aClient('someone'))
})
afterAll(async () => {
  await backend.close()
  await database.drop()
})

/** Revokes a token, which adds one revocation key. */
async function revokeOne(): Promise<void> {
  const token = aToken('someone')
  await mint(backend, token)
  await inTransaction(backend, (stores) => stores.accessTokens.revoke(token, 'test', change))
}

/** The real reads. Their answers can be delayed, or replaced by an error. */
class HeldReads implements RevocationReads {
  snapshots = 0
  pages = 0
  /** The promise that the next snapshot waits for after it was read. */
  held: Promise<unknown> = Promise.resolve()
  failure: Error | null = null

  get #reads(): RevocationReads {
    return backend.reads.revocations
  }

  readonly heads: RevocationReads['heads'] = async (ctx) => {
    this.snapshots += 1
    const { failure, held } = this
    const snapshot = await this.#reads.heads(ctx)
    await held
    if (failure !== null) throw failure
    return snapshot
  }

  readonly page: RevocationReads['page'] = (ctx, ranges, limit) => {
    this.pages += 1
    return this.#reads.page(ctx, ranges, limit)
  }

  readonly keyIds: RevocationReads['keyIds'] = (ctx, within) => this.#reads.keyIds(ctx, within)
}

function feedOn(reads: RevocationReads) {
  const stopping = new AbortController()
  const feed = new RevocationFeed({
    reads,
    log: quiet,
    monotonic: () => performance.now(),
    stopping: stopping.signal,
  })
  /** Waits up to a minute for later revocations. */
  const waitAt = async (place: Awaited<ReturnType<typeof placeNow>>, over: { readonly leaving?: AbortSignal } = {}) => {
    const until = performance.now() + 60_000
    return await feed.wait(place, { until, signal: context().signal, leaving: over.leaving })
  }
  return { feed, waitAt, stop: () => stopping.abort() }
}

async function placeNow() {
  const { madeAt: name, heads } = await backend.reads.revocations.heads(context())
  return { database: name, position: positionAt(heads) }
}

it('does not answer a call with a query that started before the call', async () => {
  const reads = new HeldReads()
  const { feed } = feedOn(reads)
  const { promise: held, resolve: goOn } = Promise.withResolvers<void>()
  reads.held = held
  const next = () => feed.wait(null, { until: 0, signal: context().signal, leaving: undefined })
  const first = next()
  await expect.poll(() => reads.snapshots).toBe(1)
  // This revocation comes between the two calls, so the second one must return it.
  await revokeOne()
  const cameAt = performance.now()
  const second = next()
  goOn()
  const [one, other] = await Promise.all([first, second])
  expect(other).not.toBe(one)
  expect(one.startedAt).toBeLessThan(cameAt)
  expect(other.startedAt).toBeGreaterThanOrEqual(cameAt)
  const { revocations } = await other.page(context(), positionAt(one.snapshot.heads), 10)
  expect(revocations).toHaveLength(1)
})

it('reads once for all calls at one position, and returns the same page to them', async () => {
  const reads = new HeldReads()
  const { waitAt } = feedOn(reads)
  const place = await placeNow()
  const waiting = Array.from({ length: 50 }, () => waitAt(place))
  await revokeOne()
  const readings = await Promise.all(waiting)
  const pages = await Promise.all(readings.map((reading) => reading.page(context(), place.position, 10)))
  expect(new Set(pages).size).toBe(1)
  expect(pages[0]?.revocations).toHaveLength(1)
  expect(reads.pages).toBe(1)
})

it('returns all revocations up to the heads that it read, and none after them', async () => {
  const { waitAt } = feedOn(new HeldReads())
  const place = await placeNow()
  const waiting = waitAt(place)
  await revokeOne()
  const reading = await waiting
  await revokeOne()
  const page = await reading.page(context(), place.position, 10)
  expect(page).toMatchObject({ more: false })
  expect(page.revocations).toHaveLength(1)
  const next = await waitAt({ ...place, position: page.position })
  expect((await next.page(context(), page.position, 10)).revocations).toHaveLength(1)
  const all = await next.page(context(), beginning(), 1_000)
  const cut = await next.page(context(), beginning(), 1)
  expect(cut).toMatchObject({ more: all.revocations.length > 1, revocations: all.revocations.slice(0, 1) })
})

it('rejects the calls that a failed query was for, and continues for later calls', async () => {
  const reads = new HeldReads()
  const { feed, waitAt } = feedOn(reads)
  const place = await placeNow()
  const { promise: held, resolve: goOn } = Promise.withResolvers<void>()
  Object.assign(reads, { held, failure: new StoreError('unavailable', 'away') })
  const unlucky = waitAt(place)
  await expect.poll(() => reads.snapshots).toBe(1)
  reads.failure = null
  const lucky = waitAt(place)
  goOn()
  await expect(unlucky).rejects.toThrow('away')
  await revokeOne()
  expect((await lucky).snapshot.heads.length).toBeGreaterThan(0)
  expect(feed.queries).toBeGreaterThan(1)
})

it('answers a call at once when it must end, and all calls when the server stops', async () => {
  const { waitAt, stop } = feedOn(new HeldReads())
  const place = await placeNow()
  const ends = new AbortController()
  const leaving = waitAt(place, { leaving: ends.signal })
  const staying = waitAt(place)
  let isOver = false
  void staying.then(() => {
    isOver = true
  })
  ends.abort()
  await leaving
  expect(isOver).toBe(false)
  stop()
  await staying
  // A stopping server answers without waiting.
  await waitAt(place)
})

it('stops querying when its only call is cancelled', async () => {
  const reads = new HeldReads()
  const { feed } = feedOn(reads)
  const gone = new AbortController()
  const waiting = feed.wait(await placeNow(), {
    until: performance.now() + 60_000,
    signal: gone.signal,
    leaving: undefined,
  })
  await expect.poll(() => reads.snapshots).toBeGreaterThan(1)
  gone.abort(new Error('gone'))
  await expect(waiting).rejects.toThrow('gone')
  const before = reads.snapshots
  await new Promise((resolve) => setTimeout(resolve, 400))
  expect(reads.snapshots - before).toBeLessThanOrEqual(1)
})
