import { beforeAll, expect, test } from 'vitest'
import { authorizationCodeId, epochMs, type TokenHash } from '../../src/domain/ids.ts'
import type { Subject } from './contract.ts'
import {
  aClient,
  aCode,
  aGrant,
  aUser,
  change,
  consent,
  context,
  enroll,
  inTransaction,
  NOW,
  register,
  winners,
} from './given.ts'

export function authorizationCodePromises(subject: () => Subject): void {
  const find = (hash: TokenHash) => subject().backend.reads.authorizationCodes.findByHash(context(), hash)
  beforeAll(() => register(subject().backend, aClient('c-one')))

  async function given(...overs: Parameters<typeof aCode>[1][]) {
    const { backend } = subject()
    const user = await enroll(backend, aUser())
    const grant = aGrant('c-one', user)
    const codes = overs.map((over) => aCode(grant, over))
    await consent(backend, grant)
    await inTransaction(backend, async (stores) => {
      for (const code of codes) await stores.authorizationCodes.insert(code)
    })
    return { backend, user, grant, codes, first: codes[0] ?? aCode(grant) }
  }

  test('are found unchanged by hash, with their grant and its parties', async () => {
    const { backend, grant, first, codes, user } = await given({}, { codeChallenge: null })
    const party = { active: true, tokenGeneration: 1 }
    for (const code of codes) expect(await find(code.hash)).toEqual({ code, grant, client: party, user: party })
    const absent = Buffer.alloc(32, 9) as TokenHash
    const found = await Promise.all([find(absent), find(first.hash), find(absent)])
    expect(found.map((standing) => standing?.code.codeId ?? null)).toEqual([null, first.codeId, null])
    expect(
      await inTransaction(backend, (stores) => stores.authorizationCodes.findByHash(context(), first.hash)),
    ).toEqual(found[1])
    await inTransaction(backend, async (stores) => {
      await stores.users.setActive(user.userId, false, change)
      await stores.grants.revoke(grant, 'test', change)
    })
    expect(await find(first.hash)).toMatchObject({ user: { active: false }, grant: { revokedAt: change.at } })
  })

  test('are redeemed once in 50 concurrent attempts', async () => {
    const { backend, first } = await given({})
    const at = epochMs(NOW + 7)
    expect(await winners(backend, 50, (stores) => stores.authorizationCodes.consume(first.codeId, at))).toBe(1)
    expect((await find(first.hash))?.code.consumedAt).toBe(at)
    expect(
      await inTransaction(backend, (stores) => stores.authorizationCodes.consume(authorizationCodeId('no'), at)),
    ).toBe(false)
  })
}
