import { setTimeout as sleep } from 'node:timers/promises'
import type { MessageInitShape } from '@bufbuild/protobuf'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { InactiveReason } from '../../src/domain/access-token.ts'
import { ClientService } from '../../src/gen/qscope/v1/client_service_pb.ts'
import { KeyService } from '../../src/gen/qscope/v1/key_service_pb.ts'
import { type RevokeTokensRequestSchema, TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { UserService } from '../../src/gen/qscope/v1/user_service_pb.ts'
import { onEveryKind } from '../setup/every-kind.ts'
import type { FreshDatabase } from '../setup/fresh-database.ts'
import { type Grants, grantsOn, REDIRECT_URI, type Tokens } from '../setup/grants.ts'
import { JWT, partOf } from '../setup/jwt.ts'
import { startServer, type TestServer } from '../setup/server.ts'

onEveryKind('revocation keys on $name', (kind) => {
  let database: FreshDatabase
  let server: TestServer
  let grants: Grants
  beforeAll(async () => {
    database = await kind.createMigrated()
    server = await startServer(database.url)
    grants = grantsOn(server)
  })
  afterAll(async () => {
    await server.stop()
    await database.drop()
  })

  const admin = () => ({ bearer: server.admin.token })
  const keysOf = async (token: string) =>
    ((await grants.claimsOf(token))?.revocationKeys ?? []).map((key) => Buffer.from(key).toString('hex'))
  /** The keys told so far, and how often. */
  async function told(): Promise<ReadonlyMap<string, number>> {
    const rows = await database.query(
      `select ${kind.dialect === 'mysql' ? '`key`' : 'key'} as told, count(*) as times from oauth_revocations group by 1`,
    )
    return new Map(
      rows.map((row) => [Buffer.from(row['told'] as Uint8Array).toString('hex'), Number(row['times'])] as const),
    )
  }
  /** The keys told by what is done. */
  async function toldBy(work: () => Promise<unknown>): Promise<readonly string[]> {
    const before = await told()
    await work()
    return [...(await told())].filter(([key, times]) => times > (before.get(key) ?? 0)).map(([key]) => key)
  }
  const revoke = (target: MessageInitShape<typeof RevokeTokensRequestSchema>['target']) =>
    server.call(TokenService.method.revokeTokens, { target: target as never }, admin())

  interface Scene {
    readonly token: string
    /** Ends it early. */
    readonly end: () => Promise<unknown>
  }

  /** Every reason for which an access token is not active that is not its own end in time. */
  const ENDINGS: Readonly<Record<Exclude<InactiveReason, 'expired'>, Readonly<Record<string, () => Promise<Scene>>>>> =
    {
      revoked: {
        'RevokeToken of its client': async () => {
          const client = await server.registerClient({ scopes: ['a'] })
          const { accessToken: token } = await grants.mint(client)
          return { token, end: () => server.call(TokenService.method.revokeToken, { client: client.client, token }) }
        },
        'RevokeTokens by its handle': async () => {
          const { accessToken: token, tokenId } = await grants.mint(await server.registerClient({ scopes: ['a'] }))
          return { token, end: () => revoke({ case: 'tokenId', value: tokenId }) }
        },
        'a newer one beyond the cap': async () => {
          const client = await grants.webClient({ config: { maxActiveAccessTokens: 1 } })
          const first = await grants.signIn(client)
          return { token: first.accessToken, end: () => grants.refresh(client, first.refreshToken) }
        },
      },
      grant_revoked: {
        'RevokeToken of its refresh token': () =>
          family((client, { refreshToken }) =>
            server.call(TokenService.method.revokeToken, { client: client.client, token: refreshToken }),
          ),
        'RevokeTokens of its grant': () =>
          family((_client, _tokens, grantId) => revoke({ case: 'grantId', value: grantId })),
        'a refresh token that is used twice': () =>
          family(async (client, { refreshToken }) => {
            const { refreshToken: next } = await grants.refresh(client, refreshToken)
            await grants.refresh(client, next)
            await expect(grants.refresh(client, refreshToken)).rejects.toThrow()
          }),
        'a code that is used twice': async () => {
          const client = await grants.webClient()
          const code = await grants.createCode(client)
          const { accessToken: token } = await grants.exchangeCode(client, code)
          return { token, end: () => expect(grants.exchangeCode(client, code)).rejects.toThrow() }
        },
        'a newer family beyond the cap of its client': async () => {
          const client = await grants.webClient({ config: { maxActiveRefreshTokens: 1 } })
          const { accessToken: token } = await grants.signIn(client)
          return { token, end: () => grants.signIn(client) }
        },
        'a newer family beyond the cap of its user': async () => {
          const client = await grants.webClient({ config: { maxActiveRefreshTokensPerUser: 1 } })
          const user = grants.newUser()
          const { accessToken: token } = await grants.signIn(client, { user })
          return { token, end: () => grants.signIn(client, { user }) }
        },
      },
      signing_key_revoked: {
        RevokeSigningKey: async () => {
          const { accessToken: token } = await grants.mint(await server.registerClient({ scopes: ['a'], config: JWT }))
          const keyId = String(partOf(token, 0)['kid'])
          return { token, end: () => server.call(KeyService.method.revokeSigningKey, { keyId }, admin()) }
        },
      },
      client_disabled: {
        DisableClient: () =>
          ofClient((clientId) => server.call(ClientService.method.disableClient, { clientId }, admin())),
        DeleteClient: () =>
          ofClient((clientId) => server.call(ClientService.method.deleteClient, { clientId }, admin())),
      },
      client_tokens_revoked: {
        'RevokeTokens of the client': () => ofClient((clientId) => revoke({ case: 'clientId', value: clientId })),
      },
      user_deactivated: {
        DeactivateUser: () => ofUser((userId) => server.call(UserService.method.deactivateUser, { userId }, admin())),
        DeleteUser: () => ofUser((userId) => server.call(UserService.method.deleteUser, { userId }, admin())),
      },
      user_tokens_revoked: {
        'RevokeTokens of the user': () => ofUser((userId) => revoke({ case: 'userId', value: userId })),
      },
    }

  type Client = Awaited<ReturnType<Grants['webClient']>>

  async function family(end: (client: Client, tokens: Tokens, grantId: string) => Promise<unknown>): Promise<Scene> {
    const client = await grants.webClient({ config: { refreshTokenReplayWindow: { seconds: 0n } } })
    const tokens = await grants.signIn(client)
    const { tokens: listed } = await server.call(TokenService.method.listTokens, { clientId: client.clientId }, admin())
    return { token: tokens.accessToken, end: () => end(client, tokens, listed[0]?.grantId ?? '') }
  }

  async function ofClient(end: (clientId: string) => Promise<unknown>): Promise<Scene> {
    const client = await server.registerClient({ scopes: ['a'] })
    const { accessToken: token } = await grants.mint(client)
    return { token, end: () => end(client.clientId) }
  }

  async function ofUser(end: (userId: string) => Promise<unknown>): Promise<Scene> {
    const { accessToken: token } = await grants.signIn(await grants.webClient())
    const userId = (await grants.claimsOf(token))?.subject ?? ''
    return { token, end: () => end(userId) }
  }

  const scenes = Object.entries(ENDINGS).flatMap(([reason, ways]) =>
    Object.entries(ways).map(([way, scene]) => [way, reason, scene] as const),
  )

  describe('are published when an active token becomes inactive', () => {
    test.each(scenes)('by %s (%s)', async (_way, _reason, scene) => {
      const { token, end } = await scene()
      const carried = await keysOf(token)
      expect(carried.length).toBeGreaterThanOrEqual(2)
      const untouched = await grants.mint(await server.registerClient({ scopes: ['a'] }))
      const others = await keysOf(untouched.accessToken)
      const keys = await toldBy(end)
      expect(await grants.isActive(token)).toBe(false)
      // One fact ended: of what the token carries exactly one key is told.
      expect(keys.filter((key) => carried.includes(key))).toHaveLength(1)
      expect(keys).toHaveLength(1)
      expect(await grants.isActive(untouched.accessToken)).toBe(true)
      expect(keys.filter((key) => others.includes(key))).toEqual([])
    })

    test('by each fact of an ancestor', async () => {
      const gateway = await grants.serviceClient()
      const web = await grants.webClient()
      const subject = await grants.signIn(web)
      const exchanged = await grants.exchangeToken(gateway, subject.accessToken)
      const again = await grants.exchangeToken(gateway, exchanged.accessToken)
      const carried = await keysOf(again.accessToken)
      // Three tokens, two clients, a grant and a user.
      expect(carried).toHaveLength(7)
      for (const ancestor of [subject, exchanged]) {
        expect(carried).toEqual(expect.arrayContaining([...(await keysOf(ancestor.accessToken))]))
      }
      const keys = await toldBy(() => revoke({ case: 'tokenId', value: subject.tokenId }))
      expect(await grants.isActive(again.accessToken)).toBe(false)
      expect(keys.filter((key) => carried.includes(key))).toHaveLength(1)
    })

    test('again each time that a client is disabled, and not when it is enabled', async () => {
      const { clientId, client } = await server.registerClient({ scopes: ['a'] })
      const { accessToken } = await grants.mint({ client })
      const carried = await keysOf(accessToken)
      const disable = () => server.call(ClientService.method.disableClient, { clientId }, admin())
      const enable = () => server.call(ClientService.method.enableClient, { clientId }, admin())
      const first = await toldBy(disable)
      expect(carried).toEqual(expect.arrayContaining([...first]))
      expect(await toldBy(enable)).toEqual([])
      expect(await grants.isActive(accessToken)).toBe(true)
      expect(await toldBy(disable)).toEqual(first)
    })
  })

  test('are not published by refreshes, updates, retired keys, and refused or repeated calls', async () => {
    const client = await grants.webClient()
    const { refreshToken, tokenId } = await grants.signIn(client)
    const other = await server.registerClient({ scopes: ['a'] })
    await revoke({ case: 'tokenId', value: (await grants.mint(other)).tokenId })
    const keys = await toldBy(async () => {
      await grants.refresh(client, refreshToken)
      await server.call(
        ClientService.method.updateClient,
        { client: { clientId: other.clientId, displayName: 'other' }, updateMask: { paths: ['display_name'] } },
        admin(),
      )
      await server.call(TokenService.method.revokeToken, { client: other.client, token: server.unknownToken() })
      await expect(
        server.call(TokenService.method.revokeTokens, { target: { case: 'tokenId', value: tokenId } }),
      ).rejects.toThrow()
    })
    expect(keys).toEqual([])
  })

  test('are published in the commit that ends the token', async () => {
    const client = await server.registerClient({ scopes: ['a'] })
    const tokens = await Promise.all(Array.from({ length: 24 }, () => grants.mint(client)))
    const carried = await Promise.all(tokens.map(({ accessToken }) => keysOf(accessToken)))
    let ended = false
    const ending = Promise.all(
      tokens.map(({ accessToken: token }) =>
        server.call(TokenService.method.revokeToken, { client: client.client, token }),
      ),
    ).finally(() => {
      ended = true
    })
    for (let last = false; !last; await sleep(1)) {
      last = ended
      const active = await server.introspectAll(
        client.client,
        tokens.map(({ accessToken }) => accessToken),
      )
      const known = await told()
      for (const [n, isActive] of active.entries()) {
        if (!isActive) expect((carried[n] ?? []).filter((key) => known.has(key))).toHaveLength(1)
      }
    }
    await ending
  })

  test('are in a JWT as rvk, equal to those of introspection and verification', async () => {
    const client = await server.registerClient({ scopes: ['a'], config: JWT })
    const { accessToken: token } = await grants.mint(client)
    const { rvk } = partOf(token, 1) as { rvk: string[] }
    const carried = rvk.map((key) => Buffer.from(key, 'base64url').toString('hex'))
    // Itself, its client, the key that signed it.
    expect(carried).toHaveLength(3)
    expect(await keysOf(token)).toEqual(carried)
    const { claims } = await server.call(TokenService.method.verifyToken, { client: client.client, token })
    expect(claims?.revocationKeys.map((key) => Buffer.from(key).toString('hex'))).toEqual(carried)
    const { keys } = await server.call(TokenService.method.getJsonWebKeySet, {})
    const published = keys.map((key) => Buffer.from(key.rvk ?? '', 'base64url').toString('hex'))
    expect(published.every((key) => key.length === 32)).toBe(true)
    expect(carried.filter((key) => published.includes(key))).toHaveLength(1)
  })

  test('do not exist for a refresh token', async () => {
    const client = await grants.webClient({ redirectUris: [REDIRECT_URI] })
    const { refreshToken } = await grants.signIn(client)
    const { claims } = await server.call(TokenService.method.introspectToken, {
      client: client.client,
      token: refreshToken,
    })
    expect(claims?.revocationKeys).toEqual([])
  })
})
