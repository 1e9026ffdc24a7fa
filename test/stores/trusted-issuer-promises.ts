import { expect, test } from 'vitest'
import { uuidV7 } from '../../src/crypto/random.ts'
import { epochMs, milliseconds } from '../../src/domain/ids.ts'
import { claimPattern, type RegisteredIssuer } from '../../src/domain/trusted-issuer.ts'
import type { Subject } from './contract.ts'
import { change, context, inTransaction, NOW, winners } from './given.ts'

const claims = [claimPattern('sub', 'repo:*'), claimPattern('/a~1b/__proto__', 'x')].filter((each) => each !== null)

export function anIssuer(over: Partial<RegisteredIssuer> = {}): RegisteredIssuer {
  return {
    issuer: `https://${uuidV7()}.example`,
    origin: 'api',
    revision: uuidV7(),
    displayName: 'An issuer ✓',
    kind: 'jwt',
    trustDomain: null,
    keys: { kind: 'url', url: 'https://keys.example/jwks', ca: 'PEM' },
    audience: null,
    singleUse: true,
    maxLifetime: milliseconds(3_600_000),
    rules: [
      {
        claims,
        condition: 'claims.a == "b"',
        clientId: 'orders',
        scopes: ['orders.read', 'orders.write'],
        scopesExpression: null,
        tokenClaims: { team: 'claims.team' },
      },
    ],
    owner: null,
    createdAt: NOW,
    createdBy: 'operator:test',
    updatedAt: NOW,
    updatedBy: 'operator:test',
    ...over,
  }
}

export function trustedIssuerPromises(subject: () => Subject): void {
  const reads = () => subject().backend.reads.trustedIssuers
  const inside = <T>(work: Parameters<typeof inTransaction<T>>[1]) => inTransaction(subject().backend, work)
  const insert = async (issuer: RegisteredIssuer) => {
    expect(await inside(({ trustedIssuers }) => trustedIssuers.insert(issuer))).toBe(true)
    return issuer
  }

  test('are found unchanged by their exact names, with each source of keys', async () => {
    const places: readonly RegisteredIssuer['keys'][] = [
      { kind: 'url', url: 'https://keys.example/jwks', ca: null },
      { kind: 'inline', jwks: '{"keys": []}' },
      { kind: 'discovery', ca: 'PEM' },
    ]
    for (const keys of places) {
      const issuer = await insert(anIssuer({ keys }))
      expect(await reads().find(context(), issuer.issuer)).toEqual(issuer)
      expect(await inside(({ trustedIssuers }) => trustedIssuers.find(context(), issuer.issuer))).toEqual(issuer)
    }
    const spiffe = { kind: 'spiffe', trustDomain: 'spiffe.example', issuer: 'spiffe://spiffe.example' } as const
    const issuer = await insert(anIssuer({ ...spiffe, audience: 'qscope', singleUse: false, rules: [], owner: 'shop' }))
    const found = await reads().find(context(), issuer.issuer)
    expect(found).toEqual(issuer)
    expect(Object.isFrozen(found)).toBe(true)
    for (const other of [`${issuer.issuer} `, issuer.issuer.toUpperCase(), `${issuer.issuer}/`]) {
      expect(await reads().find(context(), other)).toBeNull()
    }
    expect(await reads().isAny(context())).toBe(true)
  })

  test('keep the longest names, and as many rules as fit into a message', async () => {
    const issuer = `https://${'é'.repeat(504)}`
    const rules = Array.from({ length: 100 }, (_, n) => ({
      claims: Array.from({ length: 4 }, (_, m) => claimPattern(`claim-${m}`, 'v'.repeat(1_024))).filter(
        (each) => each !== null,
      ),
      condition: 'c'.repeat(2_048),
      clientId: `client-${n}`,
      scopes: ['a'],
      scopesExpression: 'd'.repeat(2_048),
      tokenClaims: {},
    }))
    const stored = await insert(anIssuer({ issuer, audience: 'ü'.repeat(512), rules }))
    expect(await reads().find(context(), issuer)).toEqual(stored)
  })

  test('are created once under a name in 20 concurrent attempts', async () => {
    const issuer = `https://${uuidV7()}.example`
    const won = await winners(subject().backend, 20, ({ trustedIssuers }) =>
      trustedIssuers.insert(anIssuer({ issuer })),
    )
    expect(won).toBe(1)
  })

  test('are changed once from a revision in 10 concurrent attempts', async () => {
    const before = await insert(anIssuer())
    const later = { at: epochMs(NOW + 5), by: 'someone' }
    const won = await winners(subject().backend, 10, ({ trustedIssuers }, n) =>
      trustedIssuers.update({ ...before, revision: uuidV7(), displayName: `n${n}` }, before.revision, later),
    )
    expect(won).toBe(1)
    const after = await reads().find(context(), before.issuer)
    expect(after).toMatchObject({
      createdAt: NOW,
      createdBy: 'operator:test',
      updatedAt: later.at,
      updatedBy: 'someone',
    })
    expect(after?.revision).not.toBe(before.revision)
    expect(after?.displayName).toMatch(/^n\d$/)
  })

  test('are deleted once in 10 concurrent attempts under their current revision, and free their names', async () => {
    const issuer = await insert(anIssuer())
    const remove = (revision: string) => inside(({ trustedIssuers }) => trustedIssuers.delete(issuer.issuer, revision))
    expect(await remove(uuidV7())).toBe(false)
    const won = await winners(subject().backend, 10, ({ trustedIssuers }) =>
      trustedIssuers.delete(issuer.issuer, issuer.revision),
    )
    expect(won).toBe(1)
    expect(await reads().find(context(), issuer.issuer)).toBeNull()
    await insert(anIssuer({ issuer: issuer.issuer }))
  })

  test('are listed in pages by owner, in byte order of their names', async () => {
    const owner = uuidV7()
    const names = ['b', 'B', 'a', 'é', 'a/', '\u{10400}', '\uff61'].map((name) => `https://${owner}.example/${name}`)
    for (const issuer of names) await insert(anIssuer({ issuer, owner }))
    await insert(anIssuer({ owner: `${owner}-2` }))
    const inOrder = names.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    const page = async (after: string | null, limit: number) =>
      (await reads().page(context(), { owner }, { after, limit })).map(({ issuer }) => issuer)
    expect(await page(null, 100)).toEqual(inOrder)
    expect(await page(null, 2)).toEqual(inOrder.slice(0, 2))
    expect(await page(inOrder[1] ?? '', 100)).toEqual(inOrder.slice(2))
    expect((await reads().page(context(), { owner: null }, { after: null, limit: 1_000 })).length).toBeGreaterThan(7)
  })

  test('are counted, in a transaction including its own creations and deletions', async () => {
    const before = await reads().count(context())
    const issuer = await insert(anIssuer())
    expect(await reads().count(context())).toBe(before + 1)
    const counted = await inside(async ({ trustedIssuers }) => {
      await trustedIssuers.insert(anIssuer())
      const more = await trustedIssuers.count(context())
      await trustedIssuers.delete(issuer.issuer, issuer.revision)
      return [more, await trustedIssuers.count(context())]
    })
    expect(counted).toEqual([before + 2, before + 1])
  })

  test('are changed by one transaction at a time that takes the lock', async () => {
    const { backend } = subject()
    const [first] = [await insert(anIssuer({ displayName: '0' }))]
    const count = 10
    // Each reads the write of the previous one: nothing is lost, although updates are not guarded by a revision.
    const won = await winners(backend, count, async ({ trustedIssuers }) => {
      if (!(await trustedIssuers.lock(change))) return false
      const found = await trustedIssuers.find(context(), first.issuer)
      if (found === null) return false
      const next = { ...found, displayName: String(Number(found.displayName) + 1), revision: uuidV7() }
      return await trustedIssuers.update(next, found.revision, change)
    })
    expect((await reads().find(context(), first.issuer))?.displayName).toBe(String(won))
    expect(won).toBeGreaterThan(0)
  })
}
