import { describe, expect, it } from 'vitest'
import { AccessTokenFormat, GrantType } from '../../src/gen/qscope/v1/client_pb.ts'
import { ClientService } from '../../src/gen/qscope/v1/client_service_pb.ts'
import { type Actor, SubjectType } from '../../src/gen/qscope/v1/token_pb.ts'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { UserService } from '../../src/gen/qscope/v1/user_service_pb.ts'
import { onEveryBackend } from '../setup/backends.ts'
import { refusalOf } from '../setup/client.ts'
import { ACCESS_TOKEN_TYPE, grantsOn, isSpan } from '../setup/grants.ts'
import { IMPOSSIBLE_TOKENS } from '../setup/impossible-tokens.ts'

const { revokeToken, revokeTokens, listTokens } = TokenService.method
const invalidRequest = { status: 'INVALID_ARGUMENT', reason: 'OAUTH_INVALID_REQUEST' }
const notAcceptable = { ...invalidRequest, violations: ['subject_token'] }

onEveryBackend('RFC 8693', (server) => {
  const grants = grantsOn(server)
  /** A user signed in at a web client, and a service that the web client's token may be meant for. */
  async function handedOver(more: Parameters<typeof grants.serviceClient>[0] = {}) {
    const web = await grants.webClient()
    const service = await grants.serviceClient(more)
    const tokens = await grants.signIn(web)
    const userId = (await grants.claimsOf(tokens.accessToken))?.subject ?? ''
    return { web, service, tokens, subject: tokens.accessToken, userId }
  }
  /** The chain of actors, the latest first. */
  const actorsOf = async (token: string) => {
    const chain: string[] = []
    let actor: Actor | undefined = (await grants.claimsOf(token))?.actor
    for (; actor !== undefined; actor = actor.actor) chain.push(actor.subject)
    return chain
  }

  describe('§2.1 request', () => {
    it('§2.1 invalid_scope: the subject token and the client have no scope in common', async () => {
      const { service, subject } = await handedOver({ scopes: ['stock.read'] })
      const refused = await refusalOf(grants.exchangeToken(service, subject))
      expect(refused).toMatchObject({ status: 'INVALID_ARGUMENT', reason: 'OAUTH_INVALID_SCOPE' })
      expect(refused.metadata['rejected_scopes']).toBe('orders.read orders.write')
    })

    it('§2.1 authenticates the client', async () => {
      const { service, subject } = await handedOver()
      const wrong = { ...service.client, method: { case: 'clientSecret' as const, value: 'wrong' } }
      expect((await refusalOf(grants.exchangeToken({ client: wrong }, subject))).reason).toBe('OAUTH_INVALID_CLIENT')
    })

    it('§2.1 unauthorized_client: a client that is not registered for the grant', async () => {
      const { web, subject } = await handedOver()
      const refused = await refusalOf(grants.exchangeToken(web, subject))
      expect(refused).toMatchObject({ status: 'PERMISSION_DENIED', reason: 'OAUTH_UNAUTHORIZED_CLIENT' })
      expect(refused.metadata['grant_type']).toBe('urn:ietf:params:oauth:grant-type:token-exchange')
    })

    it('§2.1 subject_token and its type are required', async () => {
      const { service, subject } = await handedOver()
      expect(await refusalOf(grants.exchangeToken(service, ''))).toMatchObject(notAcceptable)
      const refused = await refusalOf(grants.exchangeToken(service, subject, { subjectTokenType: '' }))
      expect(refused).toMatchObject({ ...invalidRequest, violations: ['subject_token_type'] })
    })

    it('§2.1 invalid_request: an actor token without its type, or a type without a token', async () => {
      const { service, subject } = await handedOver()
      const actorToken = (await grants.mint(service)).accessToken
      for (const more of [{ actorToken }, { actorTokenType: ACCESS_TOKEN_TYPE }, { actorToken, actorTokenType: '' }]) {
        const refused = await refusalOf(grants.exchangeToken(service, subject, more))
        expect(refused).toMatchObject({ ...invalidRequest, violations: ['actor_token_type'] })
      }
    })

    it('§2.1 parameters without a value are treated as omitted (RFC 6749 §3.1)', async () => {
      const { service, subject } = await handedOver()
      const without = { actorToken: '', actorTokenType: '', requestedTokenType: '' }
      expect((await grants.exchangeToken(service, subject, without)).accessToken).toMatch(/^qat_/)
    })

    it('§2.1 invalid_target: an audience that is not the client’s', async () => {
      const { service, subject } = await handedOver({ audiences: ['https://stock.example'] })
      const audiences = ['https://stock.example', 'https://other.example']
      const refused = await refusalOf(grants.exchangeToken(service, subject, { audiences }))
      expect(refused).toMatchObject({ status: 'INVALID_ARGUMENT', reason: 'OAUTH_INVALID_TARGET' })
      expect(refused.metadata['rejected_audiences']).toBe('https://other.example')
    })

    it('§2.1 the token is for the requested audiences', async () => {
      const { service, subject } = await handedOver({ audiences: ['https://stock.example', 'https://mail.example'] })
      const { audiences } = await grants.exchangeToken(service, subject, { audiences: ['https://stock.example'] })
      expect(audiences).toEqual(['https://stock.example'])
    })

    it('§2.1 without a requested audience, a token with an audience is exchanged for one with the client’s audiences', async () => {
      const api = server.unique('https://api.example/')
      const web = await grants.webClient({ audiences: [api] })
      const service = await grants.serviceClient({ resourceAudiences: [api], audiences: ['https://stock.example'] })
      const { accessToken } = await grants.signIn(web, { audiences: [api] })
      expect((await grants.exchangeToken(service, accessToken)).audiences).toEqual(['https://stock.example'])
    })

    it('§2.1 invalid_scope: beyond the subject token’s, though the client may have it', async () => {
      const { web, service } = await handedOver()
      const { accessToken } = await grants.signIn(web, { scopes: ['orders.read'] })
      const refused = await refusalOf(
        grants.exchangeToken(service, accessToken, { scopes: ['orders.read', 'orders.write'] }),
      )
      expect(refused).toMatchObject({ status: 'INVALID_ARGUMENT', reason: 'OAUTH_INVALID_SCOPE' })
      expect(refused.metadata['rejected_scopes']).toBe('orders.write')
    })

    it('§2.1 invalid_scope: beyond the client’s, though the subject token has it', async () => {
      const { service, subject } = await handedOver({ scopes: ['orders.read', 'stock.read'] })
      for (const scope of ['orders.write', 'stock.read']) {
        const refused = await refusalOf(grants.exchangeToken(service, subject, { scopes: [scope] }))
        expect(refused.metadata['rejected_scopes']).toBe(scope)
      }
      expect((await grants.exchangeToken(service, subject)).scopes).toEqual(['orders.read'])
    })

    it('§2.1 invalid_scope: permissions of this server, even the client’s own', async () => {
      const audiences = ['https://stock.example']
      const service = await grants.serviceClient({ scopes: ['orders.read', 'qscope:users.read'], audiences })
      const plain = await grants.mint(service, { scopes: ['orders.read'] })
      const managing = await grants.mint(service)
      for (const { accessToken } of [plain, managing]) {
        const refused = await refusalOf(grants.exchangeToken(service, accessToken, { scopes: ['qscope:users.read'] }))
        expect(refused).toMatchObject({ reason: 'OAUTH_INVALID_SCOPE' })
      }
      expect((await grants.exchangeToken(service, managing.accessToken)).scopes).toEqual(['orders.read'])
    })
  })

  describe('§2.2 response', () => {
    it('§2.2.1 the answer has an access token, its type and lifetime, and no refresh token', async () => {
      const { service, subject } = await handedOver()
      const request = { client: service.client, subjectToken: subject, subjectTokenType: ACCESS_TOKEN_TYPE }
      for (const more of [{}, { requestedTokenType: ACCESS_TOKEN_TYPE }]) {
        const { token } = await server.call(TokenService.method.exchangeToken, { ...request, ...more })
        expect(token).toMatchObject({ issuedTokenType: ACCESS_TOKEN_TYPE, tokenType: 'Bearer' })
        expect(token?.expiresIn?.seconds).toBeGreaterThan(0n)
        expect(token?.scopes).toEqual(['orders.read', 'orders.write'])
        expect(token?.refreshToken).toBeUndefined()
      }
    })

    it('§2.2.1 the token expires no later than the subject token, and lasts at most the lifetime of the client’s tokens', async () => {
      const long = await handedOver()
      const short = await handedOver({ config: { accessTokenTtl: { seconds: 60n } } })
      server.clock.advance(100_000)
      const byParent = await grants.exchangeToken(long.service, long.subject)
      expect(byParent.expiresIn).toBeLessThanOrEqual(3_500)
      const [parent, child] = [await grants.claimsOf(long.subject), await grants.claimsOf(byParent.accessToken)]
      expect(child?.expireTime).toEqual(parent?.expireTime)
      expect((await grants.exchangeToken(short.service, short.subject)).expiresIn).toSatisfy(isSpan(60))
    })

    it('§2.2.2 an unacceptable subject token is invalid_request with the same answer for every reason', async () => {
      const { web, service, tokens } = await handedOver()
      const api = server.unique('https://api.example/')
      const foreigner = await grants.webClient({ audiences: [api] })
      const foreign = await grants.signIn(foreigner, { audiences: [api] })
      const revoked = await grants.signIn(web)
      await server.call(revokeToken, { client: web.client, token: revoked.accessToken })
      const expired = await grants.mint(service, { lifetime: { seconds: 1n } })
      server.clock.advance(1_000)
      const presented = {
        malformed: 'garbage',
        unknown: server.unknownToken(),
        'a refresh token': tokens.refreshToken,
        'meant for another': foreign.accessToken,
        revoked: revoked.accessToken,
        expired: expired.accessToken,
      }
      const unknown = await refusalOf(grants.exchangeToken(service, server.unknownToken()))
      for (const [what, token] of Object.entries(presented)) {
        const refused = await refusalOf(grants.exchangeToken(service, token))
        expect(refused, what).toMatchObject(notAcceptable)
        expect(refused.message, what).toBe(unknown.message)
        expect(refused.details.badRequest, what).toEqual(unknown.details.badRequest)
      }
    })

    it('§2.2.2 text that cannot be a token is refused as subject token and actor token, without a hint', async () => {
      const { service, subject } = await handedOver()
      for (const impossible of IMPOSSIBLE_TOKENS) {
        const first = await refusalOf(grants.exchangeToken(service, impossible))
        expect(first).toMatchObject(notAcceptable)
        expect(first.details.badRequest?.fieldViolations[0]?.description).toBe('is not acceptable')
        const acting = { actorToken: impossible, actorTokenType: ACCESS_TOKEN_TYPE }
        const second = await refusalOf(grants.exchangeToken(service, subject, acting))
        expect(second).toMatchObject({ ...invalidRequest, violations: ['actor_token'] })
      }
    })

    it('§2.2.2 a client’s own refresh token is refused as subject token and actor token', async () => {
      const client = await grants.webClient({
        grantTypes: [GrantType.AUTHORIZATION_CODE, GrantType.REFRESH_TOKEN, GrantType.TOKEN_EXCHANGE],
      })
      const tokens = await grants.signIn(client)
      expect(await refusalOf(grants.exchangeToken(client, tokens.refreshToken))).toMatchObject(notAcceptable)
      const actor = { actorToken: tokens.refreshToken, actorTokenType: ACCESS_TOKEN_TYPE }
      const refused = await refusalOf(grants.exchangeToken(client, tokens.accessToken, actor))
      expect(refused).toMatchObject({ ...invalidRequest, violations: ['actor_token'] })
      expect((await grants.refresh(client, tokens.refreshToken)).accessToken).not.toBe('')
    })

    it('§2.2.2 qscope:tokens.read does not permit the subject token of another client', async () => {
      const api = server.unique('https://api.example/')
      const web = await grants.webClient({ audiences: [api] })
      const { accessToken } = await grants.signIn(web, { audiences: [api] })
      const service = await grants.serviceClient({ scopes: ['orders.read', 'qscope:tokens.read'] })
      expect(await refusalOf(grants.exchangeToken(service, accessToken))).toMatchObject(notAcceptable)
    })

    it('§2.2.2 accepts a subject token issued to the client, with the client as audience, or without an audience', async () => {
      const api = server.unique('https://api.example/')
      const service = await grants.serviceClient({ resourceAudiences: [api], audiences: ['https://stock.example'] })
      const web = await grants.webClient({ audiences: [api, service.clientId] })
      const subjects = [
        (await grants.mint(service, { audiences: ['https://stock.example'] })).accessToken,
        (await grants.signIn(web, { audiences: [api] })).accessToken,
        (await grants.signIn(web, { audiences: [service.clientId] })).accessToken,
        (await grants.signIn(web)).accessToken,
      ]
      for (const subject of subjects) expect((await grants.exchangeToken(service, subject)).accessToken).not.toBe('')
    })

    it('§2.2.2 an unacceptable actor token is invalid_request', async () => {
      const { service, subject } = await handedOver()
      const revoked = await grants.mint(service)
      await server.call(revokeToken, { client: service.client, token: revoked.accessToken })
      for (const actorToken of ['garbage', server.unknownToken(), revoked.accessToken]) {
        const more = { actorToken, actorTokenType: ACCESS_TOKEN_TYPE }
        const refused = await refusalOf(grants.exchangeToken(service, subject, more))
        expect(refused).toMatchObject({ ...invalidRequest, violations: ['actor_token'] })
      }
    })
  })

  describe('§3 token type identifiers', () => {
    it('§3 accepts only the type of access tokens, and names the field of another type', async () => {
      const { service, subject } = await handedOver()
      const actorToken = (await grants.mint(service)).accessToken
      for (const type of ['refresh_token', 'id_token', 'saml1', 'saml2', 'jwt', 'ACCESS_TOKEN'].map(
        (name) => `urn:ietf:params:oauth:token-type:${name}`,
      )) {
        for (const [more, field] of [
          [{ subjectTokenType: type }, 'subject_token_type'],
          [{ actorToken, actorTokenType: type }, 'actor_token_type'],
          [{ requestedTokenType: type }, 'requested_token_type'],
        ] as const) {
          const refused = await refusalOf(grants.exchangeToken(service, subject, more))
          expect(refused).toMatchObject({ ...invalidRequest, violations: [field] })
        }
      }
    })
  })

  describe('§1.1 delegation and impersonation', () => {
    it('§1.1 delegation: the token keeps the subject and names the client as actor', async () => {
      const { service, subject, userId } = await handedOver()
      const { accessToken } = await grants.exchangeToken(service, subject)
      expect(await grants.claimsOf(accessToken)).toMatchObject({
        clientId: service.clientId,
        subject: userId,
        subjectType: SubjectType.USER,
        actor: { subject: service.clientId },
      })
    })

    it('§1.1 delegation of a client’s own token names that client as subject', async () => {
      const [caller, service] = [await grants.serviceClient(), await grants.serviceClient()]
      const { accessToken } = await grants.exchangeToken(service, (await grants.mint(caller)).accessToken)
      expect(await grants.claimsOf(accessToken)).toMatchObject({
        clientId: service.clientId,
        subject: caller.clientId,
        subjectType: SubjectType.CLIENT,
        actor: { subject: service.clientId },
      })
    })

    it('§1.1 impersonation: the token of a client that may impersonate names no actor', async () => {
      const allowed = await handedOver({ config: { allowImpersonation: true } })
      const { accessToken } = await grants.exchangeToken(allowed.service, allowed.subject)
      expect(await grants.claimsOf(accessToken)).toMatchObject({ subject: allowed.userId })
      expect(await actorsOf(accessToken)).toEqual([])
    })

    it('§1.1 impersonation keeps earlier actors', async () => {
      const { service, subject } = await handedOver()
      const impersonator = await grants.serviceClient({ config: { allowImpersonation: true } })
      const first = await grants.exchangeToken(service, subject)
      const second = await grants.exchangeToken(impersonator, first.accessToken)
      expect(await actorsOf(second.accessToken)).toEqual([service.clientId])
    })
  })

  describe('§4.1 the act claim', () => {
    it('§4.1 the subject of the actor token is the actor', async () => {
      const { service, subject } = await handedOver({ config: { allowImpersonation: true } })
      const worker = await grants.serviceClient({ audiences: [service.clientId] })
      const actor = await grants.mint(worker, { audiences: [service.clientId] })
      const more = { actorToken: actor.accessToken, actorTokenType: ACCESS_TOKEN_TYPE }
      const { accessToken } = await grants.exchangeToken(service, subject, more)
      expect(await actorsOf(accessToken)).toEqual([worker.clientId])
    })

    it('§4.1 an actor token must be issued to the client or have it as audience: one without an audience is refused', async () => {
      const { web, service, subject } = await handedOver()
      const anybody = (await grants.signIn(web)).accessToken
      const by = (actorToken: string) =>
        grants.exchangeToken(service, subject, { actorToken, actorTokenType: ACCESS_TOKEN_TYPE })
      expect(await refusalOf(by(anybody))).toMatchObject({ ...invalidRequest, violations: ['actor_token'] })
      const { accessToken } = await by((await grants.mint(service)).accessToken)
      expect(await actorsOf(accessToken)).toEqual([service.clientId])
    })

    describe('an actor token that has actors of its own', () => {
      /** A client's own token after `depth` exchanges by other clients, with `holder` as audience. */
      const actorFor = async (holder: string, depth: number) => {
        const own = await grants.serviceClient()
        let token = (await grants.mint(own)).accessToken
        const actors: string[] = []
        for (let n = 1; n <= depth; n += 1) {
          const next = await grants.serviceClient({ audiences: [holder] })
          token = (await grants.exchangeToken(next, token, n === depth ? { audiences: [holder] } : {})).accessToken
          actors.unshift(next.clientId)
        }
        return { token, chain: [own.clientId, ...actors] }
      }
      const handOn = async (subject: string, depth: number) => {
        let token = subject
        const actors: string[] = []
        for (let n = 0; n < depth; n += 1) {
          const next = await grants.serviceClient()
          token = (await grants.exchangeToken(next, token)).accessToken
          actors.unshift(next.clientId)
        }
        return { token, actors }
      }
      const act = (service: Parameters<typeof grants.exchangeToken>[0], subject: string, actorToken: string) =>
        grants.exchangeToken(service, subject, { actorToken, actorTokenType: ACCESS_TOKEN_TYPE })

      it.each([{}, { accessTokenFormat: AccessTokenFormat.JWT }])(
        '§4.1 actors of the actor token precede those of the subject token (%o)',
        async (config) => {
          const { service, subject, userId } = await handedOver({ config })
          const actor = await actorFor(service.clientId, 2)
          const { token, actors } = await handOn(subject, 2)
          const { accessToken } = await act(service, token, actor.token)
          expect(await actorsOf(accessToken)).toEqual([...actor.chain, ...actors])
          expect((await grants.claimsOf(accessToken))?.subject).toBe(userId)
          expect(await refusalOf(grants.exchangeToken(await grants.serviceClient(), accessToken))).toMatchObject({
            ...invalidRequest,
            violations: ['subject_token'],
          })
        },
      )

      it('§4.1 an actor token is refused if the chain of actors would exceed five', async () => {
        const { service, subject } = await handedOver()
        const actor = await actorFor(service.clientId, 2)
        const { token } = await handOn(subject, 3)
        expect(await refusalOf(act(service, token, actor.token))).toMatchObject({
          ...invalidRequest,
          violations: ['actor_token'],
        })
      })
    })

    it('§4.1 revoking an ancestor of the actor token does not end the exchanged token', async () => {
      const { service, subject } = await handedOver()
      const own = await grants.serviceClient()
      const root = await grants.mint(own)
      const middle = await grants.serviceClient({ audiences: [service.clientId] })
      const named = { audiences: [service.clientId] }
      const { accessToken: actorToken } = await grants.exchangeToken(middle, root.accessToken, named)
      const more = { actorToken, actorTokenType: ACCESS_TOKEN_TYPE }
      const derived = await grants.exchangeToken(service, subject, more)
      await server.call(revokeToken, { client: own.client, token: root.accessToken })
      expect(await grants.isActive(derived.accessToken)).toBe(true)
      expect(await refusalOf(grants.exchangeToken(service, subject, more))).toMatchObject({
        ...invalidRequest,
        violations: ['actor_token'],
      })
    })

    it('§4.1 the token expires no later than the actor token', async () => {
      const { service, subject } = await handedOver()
      const actor = await grants.mint(service, { lifetime: { seconds: 60n } })
      const more = { actorToken: actor.accessToken, actorTokenType: ACCESS_TOKEN_TYPE }
      expect((await grants.exchangeToken(service, subject, more)).expiresIn).toBeLessThanOrEqual(60)
    })

    it('§4.1 keeps the chain of actors, the latest outermost, for at most five exchanges', async () => {
      const { subject, userId } = await handedOver()
      const services: string[] = []
      let token = subject
      for (let depth = 0; depth < 5; depth += 1) {
        const service = await grants.serviceClient()
        token = (await grants.exchangeToken(service, token)).accessToken
        services.unshift(service.clientId)
        expect(await actorsOf(token)).toEqual(services)
      }
      expect((await grants.claimsOf(token))?.subject).toBe(userId)
      expect(await refusalOf(grants.exchangeToken(await grants.serviceClient(), token))).toMatchObject(notAcceptable)
    })

    it('§4.1 impersonation counts as one of the five exchanges', async () => {
      const { service, subject } = await handedOver({ config: { allowImpersonation: true } })
      let token = subject
      for (let depth = 0; depth < 5; depth += 1) token = (await grants.exchangeToken(service, token)).accessToken
      expect(await refusalOf(grants.exchangeToken(service, token))).toMatchObject(notAcceptable)
    })
  })

  describe('§5 security: tokens exchanged for a subject token end with it, in the very next call', () => {
    /** Two exchanges deep. */
    async function chain() {
      const handed = await handedOver()
      const second = await grants.serviceClient()
      const one = await grants.exchangeToken(handed.service, handed.subject)
      const two = await grants.exchangeToken(second, one.accessToken)
      return { ...handed, second, one: one.accessToken, two: two.accessToken, oneId: one.tokenId }
    }
    const areActive = (...tokens: string[]) => Promise.all(tokens.map((token) => grants.isActive(token)))

    it('§5 revoking a token ends all tokens exchanged for it, and none of its ancestors', async () => {
      const { web, subject, one, two } = await chain()
      expect(await areActive(subject, one, two)).toEqual([true, true, true])
      await server.call(revokeToken, { client: web.client, token: subject })
      expect(await areActive(subject, one, two)).toEqual([false, false, false])
      const other = await chain()
      await server.call(revokeTokens, { target: { case: 'tokenId', value: other.oneId } }, grants.bearer())
      expect(await areActive(other.subject, other.one, other.two)).toEqual([true, false, false])
    })

    it('§5 an exchanged token ends when its subject token expires', async () => {
      const caller = await grants.serviceClient()
      const parent = await grants.mint(caller, { lifetime: { seconds: 5n } })
      const child = await grants.exchangeToken(await grants.serviceClient(), parent.accessToken)
      server.clock.advance(5_000)
      expect(await areActive(parent.accessToken, child.accessToken)).toEqual([false, false])
    })

    it('§5 an exchanged token ends when the refresh token of the subject’s grant is revoked', async () => {
      const { web, tokens, one, two } = await chain()
      await server.call(revokeToken, { client: web.client, token: tokens.refreshToken })
      expect(await areActive(one, two)).toEqual([false, false])
    })

    it('§5 an exchanged token ends with the user and the client of the subject token', async () => {
      const a = await chain()
      await server.call(UserService.method.deactivateUser, { userId: a.userId }, grants.bearer())
      expect(await areActive(a.one, a.two)).toEqual([false, false])
      const b = await chain()
      await server.call(ClientService.method.disableClient, { clientId: b.web.clientId }, grants.bearer())
      expect(await areActive(b.one, b.two)).toEqual([false, false])
    })

    it('§5 an exchanged token ends with a client in the middle of the chain', async () => {
      const { service, subject, one, two } = await chain()
      await server.call(ClientService.method.disableClient, { clientId: service.clientId }, grants.bearer())
      expect(await areActive(subject, one, two)).toEqual([true, false, false])
    })

    it('§5 an exchange at the same time as the revocation yields no active token', async () => {
      const { web, service, subject } = await handedOver()
      const exchanges = Array.from({ length: 20 }, () => grants.exchangeToken(service, subject))
      const revoked = server.call(revokeToken, { client: web.client, token: subject })
      const settled = await Promise.allSettled(exchanges)
      await revoked
      for (const each of settled) {
        if (each.status === 'fulfilled') expect(await grants.isActive(each.value.accessToken)).toBe(false)
        else expect(each.reason).toMatchObject(notAcceptable)
      }
    })

    it('§5 an exchanged token is listed and audited with the user and the grant of its subject token', async () => {
      const { web, service, subject, userId } = await handedOver()
      const { tokenId } = await grants.exchangeToken(service, subject)
      const listed = await server.call(listTokens, { userId }, grants.bearer())
      const derived = listed.tokens.find((each) => each.tokenId === tokenId)
      const original = listed.tokens.find((each) => each.clientId === web.clientId)
      expect(derived).toMatchObject({ clientId: service.clientId, userId, active: true })
      expect(derived?.grantId).toBe(original?.grantId)
      const [event] = await server.auditEvents({ clientId: service.clientId, eventTypes: ['token.exchanged'] })
      expect(event).toMatchObject({ tokenId, userId, actor: service.clientId })
    })

    it('§5 lists a token whose ancestor is revoked as inactive', async () => {
      const { web, service, subject, userId, one } = await chain()
      await server.call(revokeToken, { client: web.client, token: subject })
      expect(await grants.isActive(one)).toBe(false)
      const all = await server.call(listTokens, { userId, clientId: service.clientId }, grants.bearer())
      expect(all.tokens.map(({ active }) => active)).toEqual([false])
      const active = await server.call(
        listTokens,
        { userId, clientId: service.clientId, activeOnly: true },
        grants.bearer(),
      )
      expect(active.tokens).toEqual([])
    })
  })
})
