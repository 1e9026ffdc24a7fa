import { describe, expect, it } from 'vitest'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { UserService } from '../../src/gen/qscope/v1/user_service_pb.ts'
import { onEveryBackend } from '../setup/backends.ts'
import { refusalOf } from '../setup/client.ts'
import { grantsOn } from '../setup/grants.ts'

const { registerUser, getUser, listUsers, deactivateUser, reactivateUser, deleteUser } = UserService.method
const NOBODY = '01890000-0000-7000-8000-000000000000'

onEveryBackend('UserService', (server) => {
  const grants = grantsOn(server)
  const { bearer } = grants
  async function registered(externalId = server.unique('user-')) {
    const { user } = await server.call(registerUser, { externalId }, bearer())
    if (user === undefined) throw new Error('the answer has no user')
    return user
  }
  const get = (userId: string) => server.call(getUser, { id: { case: 'userId', value: userId } }, bearer())

  const deactivate = (userId: string) => server.call(deactivateUser, { userId }, bearer())
  const reactivate = (userId: string) => server.call(reactivateUser, { userId }, bearer())

  describe('RegisterUser', () => {
    it('registers an active user, with the caller', async () => {
      const externalId = server.unique('user-')
      const user = await registered(externalId)
      expect(user).toMatchObject({ externalId, active: true })
      expect(user.userId).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/)
      expect([user.createdBy, user.updatedBy]).toEqual([server.admin.clientId, server.admin.clientId])
      expect(user.createTime).toEqual(user.updateTime)
      const events = await server.auditEvents({ userId: user.userId })
      expect(events.map(({ eventType }) => eventType)).toEqual(['user.registered'])
    })

    it('finds an existing external id, also in concurrent calls', async () => {
      const externalId = server.unique('user-')
      const users = await Promise.all(Array.from({ length: 20 }, () => registered(externalId)))
      const [userId = '', ...others] = new Set(users.map((user) => user.userId))
      expect(others).toEqual([])
      expect(await server.auditEvents({ userId, eventTypes: ['user.registered'] })).toHaveLength(1)
    })

    it('compares external ids byte by byte: case, accents and trailing spaces differ', async () => {
      const base = server.unique('Usér-')
      const ids = [
        base,
        base.toLowerCase(),
        base.toUpperCase(),
        base.replace('é', 'e'),
        `${base} `,
        base.normalize('NFD'),
      ]
      const users = await Promise.all(ids.map((externalId) => registered(externalId)))
      expect(users.map(({ externalId }) => externalId)).toEqual(ids)
      expect(new Set(users.map(({ userId }) => userId)).size).toBe(ids.length)
    })

    it('refuses an external id that is empty or longer than 255 characters, and accepts any other', async () => {
      for (const externalId of ['', 'x'.repeat(256)]) {
        const refused = await refusalOf(registered(externalId))
        expect(refused).toMatchObject({ reason: 'OAUTH_INVALID_REQUEST', violations: ['external_id'] })
      }
      for (const externalId of ['😀'.repeat(255), `'; drop table oauth_users; --${server.unique('')}`, NOBODY]) {
        expect((await registered(externalId)).externalId).toBe(externalId)
      }
    })

    it('registers a new user at a consent, once', async () => {
      const client = await grants.webClient()
      const user = grants.newUser()
      const tokens = await Promise.all(Array.from({ length: 10 }, () => grants.signIn(client, { user })))
      const claims = await Promise.all(tokens.map(({ accessToken }) => grants.claimsOf(accessToken)))
      const [userId = '', ...others] = new Set(claims.map((each) => each?.subject))
      expect(others).toEqual([])
      expect((await registered(user.id.value)).userId).toBe(userId)
      expect(await server.auditEvents({ userId, eventTypes: ['user.registered'] })).toHaveLength(1)
    })
  })

  describe('GetUser', () => {
    it('finds a user by either id', async () => {
      const user = await registered()
      const byExternalId = await server.call(getUser, { id: { case: 'externalId', value: user.externalId } }, bearer())
      expect([(await get(user.userId)).user, byExternalId.user]).toEqual([user, user])
    })

    it('reports a missing user with its id', async () => {
      const externalId = server.unique('nobody-')
      for (const id of [
        { case: 'userId' as const, value: NOBODY },
        { case: 'externalId' as const, value: externalId },
      ]) {
        const refused = await refusalOf(server.call(getUser, { id }, bearer()))
        expect(refused).toMatchObject({ status: 'NOT_FOUND', reason: 'RESOURCE_NOT_FOUND' })
        expect(refused.details.resource).toMatchObject({ resourceType: 'user', resourceName: id.value })
      }
    })

    it('names the field that is missing or malformed', async () => {
      const malformed = { id: { case: 'userId' as const, value: 'nobody' } }
      expect((await refusalOf(server.call(getUser, malformed, bearer()))).violations).toEqual(['user_id'])
      expect((await refusalOf(server.call(getUser, {}, bearer()))).violations).toEqual(['id'])
    })
  })

  describe('ListUsers', () => {
    it('pages, the last registered first, by standing', async () => {
      const users = []
      for (let i = 0; i < 7; i += 1) users.push(await registered())
      const [first] = users
      await deactivate(first?.userId ?? '')
      const seen: string[] = []
      let pageToken = ''
      do {
        const page = await server.call(listUsers, { pageSize: 3, pageToken, active: true }, bearer())
        expect(page.users.length).toBeLessThanOrEqual(3)
        expect(page.users.every(({ active }) => active)).toBe(true)
        seen.push(...page.users.map(({ userId }) => userId))
        pageToken = page.nextPageToken
      } while (pageToken !== '')
      expect(seen.slice(0, 6)).toEqual(
        users
          .slice(1)
          .map(({ userId }) => userId)
          .reverse(),
      )
      expect(new Set(seen).size).toBe(seen.length)
      const inactive = await server.call(listUsers, { active: false, pageSize: 1_000 }, bearer())
      expect(inactive.users.map(({ userId }) => userId)).toContain(first?.userId)
    })

    it('refuses a page token of another filter, a forged one and a page that is too large', async () => {
      await registered()
      await registered()
      const { nextPageToken } = await server.call(listUsers, { pageSize: 1 }, bearer())
      expect(nextPageToken).not.toBe('')
      for (const request of [{ active: true, pageToken: nextPageToken }, { pageToken: 'forged' }]) {
        const refused = await refusalOf(server.call(listUsers, request, bearer()))
        expect(refused).toMatchObject({ reason: 'OAUTH_INVALID_REQUEST', violations: ['page_token'] })
      }
      expect((await refusalOf(server.call(listUsers, { pageSize: 1_001 }, bearer()))).violations).toEqual(['page_size'])
    })
  })

  describe('DeactivateUser and ReactivateUser', () => {
    it('end all tokens of the user from the next call on, and restore unexpired ones', async () => {
      const [client, other] = [await grants.webClient(), await grants.webClient()]
      const user = await registered()
      const reference = { user: { id: { case: 'userId' as const, value: user.userId } } }
      const mine = [await grants.signIn(client, reference), await grants.signIn(other, reference)]
      const theirs = await grants.signIn(client)
      const areActive = () => Promise.all([...mine, theirs].map(({ accessToken }) => grants.isActive(accessToken)))
      expect(await areActive()).toEqual([true, true, true])
      const { user: down } = await deactivate(user.userId)
      expect(down).toMatchObject({ userId: user.userId, active: false })
      expect(await areActive()).toEqual([false, false, true])
      const { user: up } = await reactivate(user.userId)
      expect(up).toEqual((await get(user.userId)).user)
      expect(up?.active).toBe(true)
      expect(await areActive()).toEqual([true, true, true])
    })

    it('apply and are audited once, however often they are called', async () => {
      const { userId } = await registered()
      for (const change of [deactivate, reactivate]) {
        await Promise.all(Array.from({ length: 5 }, () => change(userId)))
        await change(userId)
      }
      const events = await server.auditEvents({ userId })
      expect(events.map(({ eventType }) => eventType)).toEqual([
        'user.reactivated',
        'user.deactivated',
        'user.registered',
      ])
      expect(events[0]).toMatchObject({ actor: server.admin.clientId })
    })

    it('do not restore what was revoked in the meantime', async () => {
      const client = await grants.webClient()
      const user = await registered()
      const tokens = await grants.signIn(client, { user: { id: { case: 'userId', value: user.userId } } })
      await deactivate(user.userId)
      const target = { case: 'userId' as const, value: user.userId }
      await server.call(TokenService.method.revokeTokens, { target }, bearer())
      await reactivate(user.userId)
      expect(await grants.isActive(tokens.accessToken)).toBe(false)
      expect(await grants.isActive(tokens.refreshToken)).toBe(false)
    })

    it('report a missing user', async () => {
      for (const change of [deactivate, reactivate]) {
        expect((await refusalOf(change(NOBODY))).reason).toBe('RESOURCE_NOT_FOUND')
      }
    })
  })

  describe('DeleteUser', () => {
    it('ends the tokens, and frees the external id for another user', async () => {
      const client = await grants.webClient()
      const user = await registered()
      const tokens = await grants.signIn(client, { user: { id: { case: 'userId', value: user.userId } } })
      await server.call(deleteUser, { userId: user.userId }, bearer())
      expect(await grants.isActive(tokens.accessToken)).toBe(false)
      expect(await grants.isActive(tokens.refreshToken)).toBe(false)
      expect((await refusalOf(get(user.userId))).reason).toBe('RESOURCE_NOT_FOUND')
      const again = await registered(user.externalId)
      expect(again.userId).not.toBe(user.userId)
      expect(await grants.isActive(tokens.accessToken)).toBe(false)
      const listed = await server.call(listUsers, { pageSize: 1_000 }, bearer())
      expect(listed.users.map(({ userId }) => userId)).not.toContain(user.userId)
    })

    it('succeeds for one of many concurrent calls', async () => {
      const { userId } = await registered()
      const answers = await Promise.allSettled(
        Array.from({ length: 10 }, () => server.call(deleteUser, { userId }, bearer())),
      )
      expect(answers.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
      for (const answer of answers) {
        if (answer.status === 'rejected') expect(answer.reason).toMatchObject({ reason: 'RESOURCE_NOT_FOUND' })
      }
      expect(await server.auditEvents({ userId, eventTypes: ['user.deleted'] })).toHaveLength(1)
    })
  })

  describe('permissions', () => {
    it('reading needs qscope:users.read, changing qscope:users.write', async () => {
      const reader = await server.registerClient({ scopes: ['qscope:users.read'] })
      const { accessToken } = await grants.mint(reader)
      const { userId } = await registered()
      const sent = { bearer: accessToken }
      await server.call(listUsers, {}, sent)
      await server.call(getUser, { id: { case: 'userId', value: userId } }, sent)
      const changes = [
        server.call(registerUser, { externalId: 'x' }, sent),
        server.call(deactivateUser, { userId }, sent),
        server.call(reactivateUser, { userId }, sent),
        server.call(deleteUser, { userId }, sent),
      ]
      for (const refused of await Promise.all(changes.map(refusalOf))) {
        expect(refused).toMatchObject({ status: 'PERMISSION_DENIED', reason: 'OAUTH_INSUFFICIENT_SCOPE' })
        expect(refused.metadata['required_scopes']).toBe('qscope:users.write')
      }
      const writer = await server.registerClient({ scopes: ['qscope:users.write'] })
      const refused = await refusalOf(server.call(listUsers, {}, { bearer: (await grants.mint(writer)).accessToken }))
      expect(refused.metadata['required_scopes']).toBe('qscope:users.read')
      expect((await refusalOf(server.call(listUsers, {}))).reason).toBe('OAUTH_INVALID_TOKEN')
    })
  })
})
