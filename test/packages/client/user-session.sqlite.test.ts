import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it, onTestFinished } from 'vitest'
import { TokenService } from '../../../packages/client/src/gen/qscope/v1/token_service_pb.ts'
import { UncertainRefreshError } from '../../../packages/client/src/tokens/uncertain-refresh-error.ts'
import { userSession } from '../../../packages/client/src/tokens/user-session.ts'
import { grantsOn } from '../../setup/grants.ts'
import { CHANNELS, errorOf, givenServer } from './given.ts'
import { startNetworkProxy } from './network-proxy.ts'

const server = givenServer()

describe.each(CHANNELS)('a user session over $transport', ({ open }) => {
  const given = async ({ replayWindowMs = 10_000, save = () => undefined as void | Promise<void> } = {}) => {
    const grants = grantsOn(server())
    const config = { refreshTokenReplayWindow: { seconds: BigInt(replayWindowMs / 1_000) } }
    const client = await grants.webClient({ config })
    const { refreshToken } = await grants.signIn(client)
    const proxy = await startNetworkProxy(server().address)
    const channel = open(proxy.address)
    onTestFinished(() => channel.close())
    const saved: string[] = []
    const secret = { value: client.clientSecret }
    const session = userSession(channel, {
      client: { clientId: client.clientId, clientSecret: () => secret.value },
      refreshToken,
      replayWindowMs,
      save: async (tokens) => {
        await save()
        saved.push(tokens.refreshToken)
      },
    })
    const events = async (type: string) =>
      (await server().auditEvents({ clientId: client.clientId, eventTypes: [type] })).length
    /** Lets the server refresh, and drops its answer. */
    const loseAnswer = async () => {
      await channel.unary(TokenService.method.getJsonWebKeySet, {})
      proxy.swallowAnswers()
      const asked = session.token()
      asked.catch(() => undefined)
      await expect.poll(() => events('token.refreshed')).toBe(1)
      return { asked }
    }
    return { grants, client, secret, refreshToken, proxy, session, saved, events, loseAnswer }
  }

  it('refreshes once for all concurrent callers, and saves the new refresh token before it returns the access token', async () => {
    const { session, saved, events, refreshToken, grants } = await given()
    const tokens = await Promise.all(Array.from({ length: 20 }, () => session.token()))
    expect(new Set(tokens.map(({ value }) => value)).size).toBe(1)
    expect(await events('token.refreshed')).toBe(1)
    expect(saved).toEqual([session.refreshToken])
    expect(session.refreshToken).not.toBe(refreshToken)
    expect(await grants.isActive(tokens[0]?.value ?? '')).toBe(true)
  })

  it('narrows each access token to some of the audiences, but not the grant', async () => {
    const grants = grantsOn(server())
    const [stock, billing] = [server().unique('https://stock.internal/'), server().unique('https://billing.internal/')]
    for (const audience of [stock, billing]) await server().registerClient({ resourceAudiences: [audience] })
    const registered = await grants.webClient({ audiences: [stock, billing] })
    const { clientId, clientSecret } = registered
    const { refreshToken } = await grants.signIn(registered, { audiences: [stock, billing] })
    const channel = open(server().address)
    onTestFinished(() => channel.close())
    const session = (token: string, audiences?: readonly string[]) =>
      userSession(channel, {
        client: { clientId, clientSecret },
        refreshToken: token,
        audiences,
        save: () => undefined,
      })
    const narrowed = session(refreshToken, [stock])
    const first = await narrowed.token()
    expect(first.audiences).toEqual([stock])
    narrowed.discard(first.value)
    expect((await narrowed.token()).audiences).toEqual([stock])
    expect((await session(narrowed.refreshToken).token()).audiences).toEqual([stock, billing])
  })

  it('repeats a refresh whose answer was lost, and gets the tokens of the lost answer', async () => {
    const { session, saved, events, proxy, loseAnswer, grants } = await given()
    const { asked } = await loseAnswer()
    proxy.cut()
    const { value } = await asked
    expect(saved).toHaveLength(1)
    expect(await grants.isActive(value)).toBe(true)
    expect(await events('token.refreshed')).toBe(1)
    expect(await events('refresh_token.reused')).toBe(0)
    session.discard(value)
    expect(await grants.isActive((await session.token()).value)).toBe(true)
  })

  it('does not present the token again after the replay window, unless told to by presentAgain()', async () => {
    const { session, events, proxy, loseAnswer } = await given({ replayWindowMs: 2_000 })
    const { asked } = await loseAnswer()
    await expect(asked).rejects.toBeInstanceOf(UncertainRefreshError)
    proxy.cut()
    await sleep(2_000)
    await expect(session.token()).rejects.toBeInstanceOf(UncertainRefreshError)
    expect(await events('refresh_token.reused')).toBe(0)
    session.presentAgain()
    await expect
      .poll(async () => (await errorOf(session.token())).reason, { timeout: 60_000 })
      .toBe('OAUTH_INVALID_GRANT')
    expect(await events('refresh_token.reused')).toBe(1)
  })

  it('does not treat another refusal as the answer to the call whose answer was lost', async () => {
    const { session, secret, proxy, loseAnswer } = await given()
    const { asked } = await loseAnswer()
    secret.value = 'wrong'
    proxy.cut()
    await expect(asked).rejects.toMatchObject({
      name: 'UncertainRefreshError',
      cause: { reason: 'OAUTH_INVALID_CLIENT' },
    })
    await expect(session.token()).rejects.toBeInstanceOf(UncertainRefreshError)
  })

  it('continues when no call reached the server', async () => {
    const { session, proxy } = await given({ replayWindowMs: 2_000 })
    proxy.down()
    const error = await errorOf(session.token())
    expect(error).toMatchObject({ status: 'UNAVAILABLE', reason: null })
    await sleep(2_000)
    await proxy.up()
    await expect
      .poll(async () => (await session.token().catch(() => null))?.value, { timeout: 60_000 })
      .toMatch(/^qat_/)
  })

  it('does not call again after the grant was revoked', async () => {
    const { session, client, grants, refreshToken, events } = await given()
    await grants.refresh(client, refreshToken)
    server().clock.advance(11_000)
    expect((await errorOf(session.token())).reason).toBe('OAUTH_INVALID_GRANT')
    expect((await errorOf(session.token())).reason).toBe('OAUTH_INVALID_GRANT')
    expect(await events('refresh_token.reused')).toBe(1)
  })

  it('saves the refresh token whose save failed before it spends the next one', async () => {
    let isDiskFull = true
    const save = () => {
      if (isDiskFull) throw new Error('disk full')
    }
    const { session, saved, events } = await given({ save })
    await expect(session.token()).rejects.toThrow('disk full')
    isDiskFull = false
    await session.token()
    expect(saved).toEqual([session.refreshToken])
    expect(await events('token.refreshed')).toBe(1)
  })
})
