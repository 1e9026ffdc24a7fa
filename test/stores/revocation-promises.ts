import { setImmediate as nextTurn } from 'node:timers/promises'
import { beforeAll, expect, test } from 'vitest'
import { uuidV7 } from '../../src/crypto/random.ts'
import { clientId, type EpochMs, epochMs, keyId, milliseconds, signingKeyId } from '../../src/domain/ids.ts'
import { FACT_OUTLIVED, REVOCATION_KEPT, type RevocableFact, type Revocation } from '../../src/domain/revocation.ts'
import type { Backend, TransactionStores } from '../../src/stores/contract/backend.ts'
import { openBackend } from '../../src/stores/open.ts'
import type { Subject } from './contract.ts'
import {
  aClient,
  aGrant,
  anEvent,
  aToken,
  aUser,
  change,
  consent,
  context,
  enroll,
  inTransaction,
  mint,
  NOW,
  options,
  ownTransaction,
  register,
  telling,
} from './given.ts'
import { aKey } from './signing-key-promises.ts'

/** All published revocations, read like a poll: the heads first, and then up to the heads. */
async function allTold(backend: Backend, pageSize = 1_000): Promise<readonly Revocation[]> {
  const { revocations } = backend.reads
  const { heads } = await revocations.heads(context())
  const ranges = heads.map(({ writer, sequence }) => ({ writer, after: 0, upTo: sequence }))
  const told: Revocation[] = []
  for (;;) {
    const page = await revocations.page(context(), ranges, pageSize)
    told.push(...page)
    const last = page.at(-1)
    if (last === undefined || page.length < pageSize) return told
    ranges.splice(
      0,
      ranges.findIndex(({ writer }) => writer === last.writer),
    )
    ranges[0] = { writer: last.writer, after: last.sequence, upTo: ranges[0]?.upTo ?? 0 }
  }
}

const placeOf = ({ writer, sequence }: Revocation) => `${writer}/${sequence}`

export function revocationPromises(subject: () => Subject): void {
  const backend = () => subject().backend
  /** The revocations that the work publishes, and its result. */
  async function toldBy<T>(work: () => Promise<T>) {
    const before = new Set((await allTold(backend())).map(placeOf))
    const value = await work()
    return { value, told: (await allTold(backend())).filter((each) => !before.has(placeOf(each))) }
  }
  const keysOf = (...facts: readonly RevocableFact[]) =>
    facts.flatMap((fact) => telling.keysOf(fact)).map((key) => key.toString('hex'))
  const hexOf = (told: readonly Revocation[]) => told.map(({ key }) => key.toString('hex'))
  /** Checks the forget time of a revocation without an expiry, by the clock of the database. */
  async function expectOutlived(work: () => Promise<{ readonly told: readonly Revocation[] }>): Promise<void> {
    const from = await backend().clock()
    const { told } = await work()
    const until = await backend().clock()
    for (const { forgetTime } of told) {
      expect(forgetTime).toBeGreaterThanOrEqual(from + FACT_OUTLIVED)
      expect(forgetTime).toBeLessThanOrEqual(until + FACT_OUTLIVED)
    }
  }
  beforeAll(() => register(backend(), aClient('teller')))

  test('are published for a token under every key of the keyring, until its expiry', async () => {
    const token = aToken('teller')
    await mint(backend(), token)
    const { told } = await toldBy(() =>
      inTransaction(backend(), (stores) => stores.accessTokens.revoke(token, 'test', change)),
    )
    expect(hexOf(told)).toEqual(keysOf({ kind: 'token', tokenId: token.tokenId }))
    expect(told.map(({ forgetTime }) => forgetTime)).toEqual(told.map(() => token.expiresAt))
    expect(told.every(({ key }) => key.byteLength === 16)).toBe(true)
  })

  test('are published for a grant until no token of it can be active, or until its earlier expiry', async () => {
    const user = await enroll(backend(), aUser())
    const soon = epochMs((await backend().clock()) + 60_000)
    const [ending, lasting] = [aGrant('teller', user, { expiresAt: soon }), aGrant('teller', user)]
    await consent(backend(), ending, lasting)
    const { told } = await toldBy(() =>
      inTransaction(backend(), (stores) => stores.grants.revoke(ending, 'test', change)),
    )
    expect(hexOf(told)).toEqual(keysOf({ kind: 'grant', grantId: ending.grantId }))
    expect(told[0]?.forgetTime).toBe(soon)
    await expectOutlived(() =>
      toldBy(() => inTransaction(backend(), (stores) => stores.grants.revoke(lasting, 'test', change))),
    )
  })

  test('are published for a client with the generation that ended, or with its current one', async () => {
    const id = clientId('teller-two')
    await register(backend(), aClient(id))
    const fact = (generation: number) => ({ kind: 'client', clientId: id, generation }) as const
    const changed = async (work: (stores: TransactionStores, version: number) => Promise<boolean>) => {
      const version = (await backend().reads.clients.find(context(), id))?.version ?? 0
      const { value, told } = await toldBy(() => inTransaction(backend(), (stores) => work(stores, version)))
      expect(value).toBe(true)
      return hexOf(told)
    }
    expect(await changed((stores) => stores.clients.startTokenGeneration(id, change))).toEqual(keysOf(fact(1)))
    const disabled = await changed((stores, version) => stores.clients.setEnabled(id, false, version, change))
    expect(disabled).toEqual(keysOf(fact(2)))
    expect(await changed((stores, version) => stores.clients.setEnabled(id, true, version, change))).toEqual([])
    // It is published again: each revocation invalidates earlier verifications.
    expect(await changed((stores, version) => stores.clients.setEnabled(id, false, version, change))).toEqual(disabled)
    expect(await changed((stores) => stores.clients.startTokenGeneration(id, change))).toEqual(disabled)
    expect(await changed((stores, version) => stores.clients.delete(id, version, change))).toEqual(keysOf(fact(3)))
  })

  test('are published for a user with the generation that ended, or with its current one', async () => {
    const { userId } = await enroll(backend(), aUser())
    const fact = (generation: number) => ({ kind: 'user', userId, generation }) as const
    const changed = async (work: (stores: TransactionStores) => Promise<boolean>) => {
      const { value, told } = await toldBy(() => inTransaction(backend(), work))
      expect(value).toBe(true)
      return hexOf(told)
    }
    expect(await changed((stores) => stores.users.startTokenGeneration(userId, change))).toEqual(keysOf(fact(1)))
    const deactivated = await changed((stores) => stores.users.setActive(userId, false, change))
    expect(deactivated).toEqual(keysOf(fact(2)))
    expect(await changed((stores) => stores.users.setActive(userId, true, change))).toEqual([])
    expect(await changed((stores) => stores.users.delete(userId, change))).toEqual(deactivated)
    await expectOutlived(() => toldBy(async () => undefined))
  })

  test('are published once for each of 20 generations that are started concurrently', async () => {
    const { userId } = await enroll(backend(), aUser())
    const { told } = await toldBy(() =>
      Promise.all(
        Array.from({ length: 20 }, () =>
          inTransaction(backend(), (stores) => stores.users.startTokenGeneration(userId, change)),
        ),
      ),
    )
    const facts = Array.from({ length: 20 }, (_, n) => ({ kind: 'user', userId, generation: n + 1 }) as const)
    expect(hexOf(told).toSorted()).toEqual(keysOf(...facts).toSorted())
  })

  test('are published for a revoked signing key, but not for a retired one', async () => {
    const key = aKey({ keyId: signingKeyId(uuidV7()) })
    await inTransaction(backend(), (stores) => stores.signingKeys.insert(key))
    const until = epochMs(NOW + 1_000)
    const retired = await toldBy(() =>
      inTransaction(backend(), (stores) => stores.signingKeys.retire(key, until, change)),
    )
    expect(retired).toEqual({ value: true, told: [] })
    const { told } = await toldBy(() =>
      inTransaction(backend(), (stores) => stores.signingKeys.revoke(key.keyId, 'test', change)),
    )
    expect(hexOf(told)).toEqual(keysOf({ kind: 'signing_key', keyId: key.keyId }))
  })

  test('are not published if the transaction is rolled back or fails, or if the token was already revoked', async () => {
    const [first, second] = [aToken('teller'), aToken('teller')]
    await mint(backend(), first, second)
    const { told } = await toldBy(async () => {
      await ownTransaction(backend(), context(), async (stores) => {
        await stores.accessTokens.revoke(first, 'test', change)
        return { commit: false, value: null }
      })
      const orphan = aToken('no-such-client')
      const failing = inTransaction(backend(), async (stores) => {
        await stores.accessTokens.revoke(first, 'test', change)
        await stores.accessTokens.insert(orphan)
      })
      await expect(failing).rejects.toMatchObject({ fault: 'broken' })
      await inTransaction(backend(), (stores) => stores.accessTokens.revoke(second, 'test', change))
      await inTransaction(backend(), (stores) => stores.accessTokens.revoke(second, 'test', change))
    })
    expect(hexOf(told)).toEqual(keysOf({ kind: 'token', tokenId: second.tokenId }))
  })

  test('are published for each winning call of a shared commit, and not for the losing ones', async () => {
    const tokens = Array.from({ length: 30 }, () => aToken('teller'))
    await mint(backend(), ...tokens)
    const { told } = await toldBy(() =>
      Promise.all(
        [...tokens, ...tokens].map((token) =>
          backend().transaction(context(), async (stores) => {
            const won = await stores.accessTokens.revoke(token, 'test', change)
            if (won) await stores.auditLog.append(anEvent())
            return { commit: won, value: won }
          }),
        ),
      ),
    )
    const facts = tokens.map(({ tokenId }) => ({ kind: 'token', tokenId }) as const)
    expect(hexOf(told).toSorted()).toEqual(keysOf(...facts).toSorted())
  })

  test('of a writer are visible in order, so that a reader of its head finds all up to it', async () => {
    const other = await openBackend(subject().database.url, options)
    try {
      const tokens = Array.from({ length: 40 }, () => aToken('teller'))
      await mint(backend(), ...tokens)
      let writing = true
      const work = Promise.all(
        tokens.map((token, n) =>
          inTransaction(n % 2 === 0 ? backend() : other, (stores) => stores.accessTokens.revoke(token, 'test', change)),
        ),
      ).finally(() => {
        writing = false
      })
      const seen = new Map<string, string>()
      const reached = new Map<number, number>()
      let looks = 0
      for (let last = false; !last; looks += 1) {
        // SQLite answers reads in the same turn of the event loop, so that writers would starve.
        await nextTurn()
        last = !writing
        const { heads } = await other.reads.revocations.heads(context())
        for (const { writer, sequence } of heads) {
          const after = reached.get(writer) ?? 0
          const page = await other.reads.revocations.page(context(), [{ writer, after, upTo: sequence }], 1_000)
          // No sequence number is missing: none of these is purged, and a rollback uses no number.
          if (reached.has(writer)) expect(page.map((each) => each.sequence)).toEqual(numbers(after + 1, sequence))
          for (const each of page) seen.set(placeOf(each), each.key.toString('hex'))
          reached.set(writer, sequence)
        }
      }
      await work
      expect(looks).toBeGreaterThan(1)
      const keys = new Set(seen.values())
      const facts = tokens.map(({ tokenId }) => ({ kind: 'token', tokenId }) as const)
      expect(keysOf(...facts).filter((key) => !keys.has(key))).toEqual([])
    } finally {
      await other.close()
    }
  })

  test('are numbered after those of a commit that the database lost, which readers may have passed', async () => {
    const another = await openBackend(subject().database.url, options)
    try {
      const tell = async () => {
        const token = aToken('teller')
        await mint(another, token)
        const { told } = await toldBy(() =>
          inTransaction(another, (stores) => stores.accessTokens.revoke(token, 'test', change)),
        )
        return told[0] as Revocation
      }
      const [first, second] = [await tell(), await tell()]
      const { writer } = second
      expect(first.writer).toBe(writer)
      const { database } = subject()
      await database.query(`delete from oauth_revocations where writer = ${writer} and sequence = ${second.sequence}`)
      await database.query(`update oauth_revocation_heads set sequence = ${first.sequence} where writer = ${writer}`)
      const third = await tell()
      expect(third).toMatchObject({ writer, sequence: second.sequence + 1 })
      const { heads } = await backend().reads.revocations.heads(context())
      expect(heads.find((head) => head.writer === writer)?.sequence).toBe(third.sequence)
    } finally {
      await another.close()
    }
  })

  test('never have the number of another writer that got the same ordinal, as the database lost a registration', async () => {
    const [one, two] = await Promise.all([
      openBackend(subject().database.url, options),
      openBackend(subject().database.url, options),
    ])
    try {
      const tellOn = async (on: Backend) => {
        const token = aToken('teller')
        await mint(backend(), token)
        const { told } = await toldBy(() =>
          inTransaction(on, (stores) => stores.accessTokens.revoke(token, 'test', change)),
        )
        return told[0] as Revocation
      }
      const { writer } = await tellOn(one)
      const { database } = subject()
      for (const lost of [
        `delete from oauth_revocations where writer = ${writer}`,
        `delete from oauth_revocation_heads where writer = ${writer}`,
        `delete from oauth_audit_heads where ordinal = ${writer}`,
        `update oauth_audit_roster set writers = ${writer - 1}`,
      ])
        await database.query(lost)
      expect(await tellOn(two)).toMatchObject({ writer, sequence: 1 })
      const next = await tellOn(one)
      expect(next.writer).toBeGreaterThan(writer)
      expect(await tellOn(two)).toMatchObject({ writer, sequence: 2 })
      expect(await tellOn(one)).toMatchObject({ writer: next.writer, sequence: next.sequence + 1 })
    } finally {
      await Promise.all([one.close(), two.close()])
    }
  })

  test('are read in pages, by writer and sequence, also of more writers than fit into one statement', async () => {
    for (let writer = 0; writer < 20; writer += 1) {
      const another = await openBackend(subject().database.url, options)
      const tokens = Array.from({ length: 3 }, () => aToken('teller'))
      await mint(another, ...tokens)
      for (const token of tokens) {
        await inTransaction(another, (stores) => stores.accessTokens.revoke(token, 'test', change))
      }
      await another.close()
    }
    const { heads } = await backend().reads.revocations.heads(context())
    expect(heads.length).toBeGreaterThan(20)
    expect(heads.map(({ writer }) => writer)).toEqual(heads.map(({ writer }) => writer).toSorted((a, b) => a - b))
    const whole = await allTold(backend())
    expect(await allTold(backend(), 7)).toEqual(whole)
    expect(new Set(whole.map(placeOf)).size).toBe(whole.length)
    const { revocations } = backend().reads
    expect(await revocations.page(context(), [], 10)).toEqual([])
    const [head] = heads
    if (head === undefined) throw new Error('nobody has told anything')
    expect(await revocations.page(context(), [{ ...head, after: head.sequence, upTo: head.sequence }], 10)).toEqual([])
  })

  test('are purged after their forget time, with the writer of the last one, whose sequence continues', async () => {
    const another = await openBackend(subject().database.url, options)
    try {
      const long = epochMs((await backend().clock()) - REVOCATION_KEPT - 60_000)
      const recent = epochMs((await backend().clock()) - 1_000)
      const tell = async (expiresAt: EpochMs) => {
        const token = aToken('teller', { expiresAt })
        await mint(another, token)
        const { told } = await toldBy(() =>
          inTransaction(another, (stores) => stores.accessTokens.revoke(token, 'test', change)),
        )
        return told[0] as Revocation
      }
      const [first, second] = [await tell(long), await tell(recent)]
      expect(second.writer).toBe(first.writer)
      const { maintenance } = backend()
      const future = epochMs(Date.now() + 86_400_000)
      const left = async () => {
        while ((await maintenance.purge('revocations', future, 100)) > 0);
        return (await allTold(backend())).filter(({ writer }) => writer === first.writer).map(placeOf)
      }
      // The clock of the database counts, less a margin, not that of the purging instance.
      expect(await left()).toEqual([placeOf(second)])
      expect(await maintenance.backlog('revocations', future, 10)).toEqual({ count: 0, oldest: null })
      await subject().database.query(
        `update oauth_revocations set forget_time = ${long} where writer = ${second.writer}`,
      )
      expect(await maintenance.backlog('revocations', epochMs(long), 10)).toEqual({ count: 0, oldest: null })
      expect(await maintenance.backlog('revocations', future, 10)).toEqual({ count: 1, oldest: long })
      expect(await left()).toEqual([])
      const { heads } = await backend().reads.revocations.heads(context())
      expect(heads.some(({ writer }) => writer === first.writer)).toBe(false)
      expect(placeOf(await tell(future))).toBe(`${second.writer}/${second.sequence + 1}`)
    } finally {
      await another.close()
    }
  })

  test('list the keys under which tokens were issued recently', async () => {
    const id = keyId(`revocation-${uuidV7().slice(-8)}`)
    const { maintenance, reads } = backend()
    await Promise.all(Array.from({ length: 8 }, () => maintenance.noteRevocationKey(id)))
    expect(await reads.revocations.keyIds(context(), milliseconds(60_000))).toContain(id)
    const past = epochMs((await backend().clock()) - 120_000)
    await subject().database.query(`update oauth_revocation_keys set used_at = ${past} where key_id = '${id}'`)
    expect(await reads.revocations.keyIds(context(), milliseconds(60_000))).not.toContain(id)
    await maintenance.noteRevocationKey(id)
    expect(await reads.revocations.keyIds(context(), milliseconds(60_000))).toContain(id)
  })

  test('have heads with the position of each writer, the time, and the creation time of the tables', async () => {
    const { madeAt, now, heads } = await backend().reads.revocations.heads(context())
    expect(Math.abs(now - (await backend().clock()))).toBeLessThan(60_000)
    const note = "select applied_at from qscope_migrations where name = '0011_revocations'"
    expect(madeAt).toBe(Number((await subject().database.query(note))[0]?.['applied_at']))
    expect(heads.length).toBeGreaterThan(0)
    for (const { createdAt } of heads) expect(createdAt).toBeLessThanOrEqual(now)
  })

  test('have the clock of the database, in milliseconds', async () => {
    const before = Date.now()
    const now = await backend().clock()
    expect(Number.isInteger(now)).toBe(true)
    // All databases of the tests are on this machine.
    expect(now).toBeGreaterThanOrEqual(before - 50)
    expect(now).toBeLessThanOrEqual(Date.now() + 50)
  })
}

function numbers(from: number, to: number): readonly number[] {
  return Array.from({ length: Math.max(0, to - from + 1) }, (_, n) => from + n)
}
