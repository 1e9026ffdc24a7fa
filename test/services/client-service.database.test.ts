import { describe, expect, it } from 'vitest'
import { AccessTokenFormat, AuthenticationMethod, ClientType, GrantType } from '../../src/gen/qscope/v1/client_pb.ts'
import { ClientService } from '../../src/gen/qscope/v1/client_service_pb.ts'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { onEveryBackend } from '../setup/backends.ts'
import { refusalOf } from '../setup/client.ts'

const {
  deleteClient,
  disableClient,
  enableClient,
  getClient,
  listClientSecrets,
  listClients,
  registerClient,
  revokeClientSecret,
  rotateClientSecret,
  updateClient,
} = ClientService.method
const { mintToken } = TokenService.method
const confidential = { type: ClientType.CONFIDENTIAL }

onEveryBackend('ClientService', (server) => {
  const admin = () => ({ bearer: server.admin.token })
  const secretOf = (clientId: string, value: string) => ({ clientId, method: { case: 'clientSecret' as const, value } })

  describe('RegisterClient', () => {
    it('fills in defaults, and reads back the same client', async () => {
      const { client, clientSecret } = await server.call(registerClient, confidential, admin())
      expect(clientSecret).toMatch(/^qcs_/)
      expect(client).toMatchObject({
        displayName: client?.clientId,
        authenticationMethod: AuthenticationMethod.CLIENT_SECRET,
        enabled: true,
        createdBy: server.admin.clientId,
      })
      expect(client?.config).toMatchObject({
        accessTokenTtl: { seconds: 3_600n },
        refreshTokenTtl: { seconds: 2_592_000n },
        refreshTokenMaxLifetime: { seconds: 7_776_000n },
        authorizationCodeTtl: { seconds: 60n },
        deviceCodeTtl: { seconds: 600n },
        devicePollInterval: { seconds: 5n },
        refreshTokenReplayWindow: { seconds: 10n },
        requirePkce: true,
        allowImpersonation: false,
      })
      const read = await server.call(getClient, { clientId: client?.clientId ?? '' }, admin())
      expect(read.client).toEqual(client)
    })

    it('stores all fields', async () => {
      const clientId = server.unique('Full.Client_')
      const wanted = {
        clientId,
        displayName: 'Füll “client”',
        type: ClientType.CONFIDENTIAL,
        grantTypes: [GrantType.AUTHORIZATION_CODE, GrantType.REFRESH_TOKEN, GrantType.CLIENT_CREDENTIALS],
        redirectUris: ['https://app.example/cb', 'http://127.0.0.1/cb'],
        scopes: ['a', 'b:c'],
        audiences: ['https://api.example'],
        resourceAudiences: [server.unique('https://me.example/')],
        config: {
          accessTokenTtl: { seconds: 1n, nanos: 500_000_000 },
          maxActiveAccessTokens: 3,
          metadata: { team: 'päy' },
        },
      }
      await server.call(registerClient, wanted, admin())
      const { client } = await server.call(getClient, { clientId }, admin())
      expect(client).toMatchObject(wanted)
    })

    it('stores metadata with any names', async () => {
      const metadata = Object.fromEntries([
        ['__proto__', 'x'],
        ['constructor', 'y'],
      ])
      const { clientId } = await server.registerClient({ config: { metadata } })
      const { client } = await server.call(getClient, { clientId }, admin())
      expect(Object.entries(client?.config?.metadata ?? {})).toEqual(Object.entries(metadata))
    })

    it('refuses an existing id, but not one that differs in case', async () => {
      const clientId = server.unique('Taken-')
      await server.call(registerClient, { ...confidential, clientId }, admin())
      const refused = await refusalOf(server.call(registerClient, { type: ClientType.PUBLIC, clientId }, admin()))
      expect(refused).toMatchObject({ status: 'ALREADY_EXISTS', reason: 'REGISTRATION_CLIENT_IDENTIFIER_CONFLICT' })
      expect(refused.details.resource?.resourceName).toBe(clientId)
      await server.call(registerClient, { ...confidential, clientId: clientId.toLowerCase() }, admin())
    })

    it('registers an id once for concurrent calls', async () => {
      const clientId = server.unique('raced-')
      const attempts = await Promise.allSettled(
        Array.from({ length: 20 }, () => server.call(registerClient, { ...confidential, clientId }, admin())),
      )
      expect(attempts.filter(({ status }) => status === 'fulfilled').length).toBe(1)
      for (const attempt of attempts) {
        if (attempt.status === 'rejected') expect(attempt.reason).toMatchObject({ status: 'ALREADY_EXISTS' })
      }
      expect((await server.auditEvents({ clientId, eventTypes: ['client.registered'] })).length).toBe(1)
    })

    it('gives an audience to one owner, and no client the name of another', async () => {
      const audience = server.unique('https://api.example/')
      const { clientId } = await server.registerClient({ resourceAudiences: [audience] })
      for (const resourceAudiences of [[audience], [clientId], [server.issuer]]) {
        const refused = await refusalOf(server.call(registerClient, { ...confidential, resourceAudiences }, admin()))
        expect(refused).toMatchObject({
          reason: 'REGISTRATION_INVALID_CLIENT_METADATA',
          violations: ['resource_audiences[0]'],
        })
      }
      const name = server.unique('future-client-')
      await server.registerClient({ resourceAudiences: [name] })
      const refused = await refusalOf(server.call(registerClient, { ...confidential, clientId: name }, admin()))
      expect(refused.reason).toBe('REGISTRATION_CLIENT_IDENTIFIER_CONFLICT')
    })

    it.each([
      ['a type is missing', {}, 'OAUTH_INVALID_REQUEST', ['type']],
      ['an id is too short', { ...confidential, clientId: 'ab' }, 'OAUTH_INVALID_REQUEST', ['client_id']],
      ['an id has a space', { ...confidential, clientId: 'a b c' }, 'OAUTH_INVALID_REQUEST', ['client_id']],
      [
        'a lifetime is too long',
        { ...confidential, config: { accessTokenTtl: { seconds: 86_401n } } },
        'OAUTH_INVALID_REQUEST',
        ['config.access_token_ttl'],
      ],
      [
        'an id looks like a UUID',
        { ...confidential, clientId: '01890000-0000-7000-8000-000000000000' },
        'REGISTRATION_INVALID_CLIENT_METADATA',
        ['client_id'],
      ],
      [
        'a confidential client has no authentication',
        { ...confidential, authenticationMethod: AuthenticationMethod.NONE },
        'REGISTRATION_INVALID_CLIENT_METADATA',
        ['authentication_method'],
      ],
      [
        'a public client has a secret',
        { type: ClientType.PUBLIC, authenticationMethod: AuthenticationMethod.CLIENT_SECRET },
        'REGISTRATION_INVALID_CLIENT_METADATA',
        ['authentication_method'],
      ],
      [
        'a public client wants permissions',
        { type: ClientType.PUBLIC, scopes: ['qscope:clients.read'] },
        'REGISTRATION_INVALID_CLIENT_METADATA',
        ['scopes[0]'],
      ],
      [
        'a permission does not exist',
        { ...confidential, scopes: ['ok', 'qscope:everything'] },
        'REGISTRATION_INVALID_CLIENT_METADATA',
        ['scopes[1]'],
      ],
      [
        'a scope is malformed',
        { ...confidential, scopes: ['a b'] },
        'REGISTRATION_INVALID_CLIENT_METADATA',
        ['scopes[0]'],
      ],
      [
        'refresh tokens have no user grant',
        { ...confidential, grantTypes: [GrantType.REFRESH_TOKEN] },
        'REGISTRATION_INVALID_CLIENT_METADATA',
        ['grant_types'],
      ],
      [
        'authorization codes have no redirect URI',
        { ...confidential, grantTypes: [GrantType.AUTHORIZATION_CODE] },
        'REGISTRATION_INVALID_CLIENT_METADATA',
        ['redirect_uris'],
      ],
      [
        'a redirect URI is not acceptable',
        { ...confidential, redirectUris: ['https://ok.example', 'http://evil.example'] },
        'REGISTRATION_INVALID_REDIRECT_URI',
        ['redirect_uris[1]'],
      ],
      [
        'a public client wants to exchange tokens',
        { type: ClientType.PUBLIC, grantTypes: [GrantType.TOKEN_EXCHANGE] },
        'REGISTRATION_INVALID_CLIENT_METADATA',
        ['grant_types'],
      ],
      [
        'a public client wants to impersonate',
        { type: ClientType.PUBLIC, config: { allowImpersonation: true } },
        'REGISTRATION_INVALID_CLIENT_METADATA',
        ['config.allow_impersonation'],
      ],
      [
        'a public client goes without PKCE',
        { type: ClientType.PUBLIC, config: { requirePkce: false } },
        'REGISTRATION_INVALID_CLIENT_METADATA',
        ['config.require_pkce'],
      ],
    ])('reports when %s', async (_case, request, reason, violations) => {
      const refused = await refusalOf(server.call(registerClient, request, admin()))
      expect(refused).toMatchObject({ status: 'INVALID_ARGUMENT', reason, violations })
    })
  })

  describe('permissions', () => {
    /** May write clients, holds nothing else. */
    const writer = async () => {
      const { client } = await server.registerClient({ scopes: ['qscope:clients.write', 'qscope:clients.read'] })
      const { token } = await server.call(mintToken, { client })
      return { bearer: token?.accessToken ?? '' }
    }
    const denied = { status: 'PERMISSION_DENIED', reason: 'OAUTH_INSUFFICIENT_SCOPE' }

    it('cannot be granted by callers without them', async () => {
      const bearer = await writer()
      const scopes = ['orders.read', 'qscope:audit.read', 'qscope:clients.write']
      const refused = await refusalOf(server.call(registerClient, { ...confidential, scopes }, bearer))
      expect(refused).toMatchObject(denied)
      expect(refused.metadata['required_scopes']).toBe('qscope:audit.read')
      await server.call(registerClient, { ...confidential, scopes: ['qscope:clients.write'] }, bearer)
    })

    it('cannot be gained by changing, enabling, deleting or re-keying a client that has them', async () => {
      const bearer = await writer()
      const { clientId } = await server.registerClient({ scopes: ['qscope:keys.write'] })
      const plain = await server.registerClient({})
      const { secrets } = await server.call(listClientSecrets, { clientId }, admin())
      const attempts = [
        server.call(updateClient, { client: { clientId, displayName: 'x' } }, bearer),
        server.call(updateClient, { client: { clientId }, updateMask: { paths: ['scopes'] } }, bearer),
        server.call(updateClient, { client: { clientId: plain.clientId, scopes: ['qscope:keys.write'] } }, bearer),
        server.call(enableClient, { clientId }, bearer),
        server.call(deleteClient, { clientId }, bearer),
        server.call(rotateClientSecret, { clientId }, bearer),
        server.call(revokeClientSecret, { clientId, secretId: secrets[0]?.secretId ?? '' }, bearer),
      ]
      for (const refused of await Promise.all(attempts.map(refusalOf))) expect(refused).toMatchObject(denied)
      await server.call(disableClient, { clientId }, bearer)
    })
  })

  describe('UpdateClient', () => {
    it('changes only the fields in the mask', async () => {
      const { clientId } = await server.registerClient({ scopes: ['a', 'b'], audiences: ['https://x.example'] })
      const request = {
        client: {
          clientId,
          scopes: ['c'],
          displayName: 'not in the mask',
          config: { accessTokenTtl: { seconds: 5n } },
        },
        updateMask: { paths: ['scopes', 'config.access_token_ttl'] },
      }
      const { client } = await server.call(updateClient, request, admin())
      expect(client).toMatchObject({ scopes: ['c'], displayName: clientId, audiences: ['https://x.example'] })
      expect(client?.config?.accessTokenTtl?.seconds).toBe(5n)
      expect(client?.config?.deviceCodeTtl?.seconds).toBe(600n)
      const reset = { client: { clientId }, updateMask: { paths: ['config.access_token_ttl'] } }
      expect((await server.call(updateClient, reset, admin())).client?.config?.accessTokenTtl?.seconds).toBe(3_600n)
    })

    describe('inside config', () => {
      const config = {
        accessTokenTtl: { seconds: 600n },
        refreshTokenReplayWindow: { seconds: 0n },
        accessTokenFormat: AccessTokenFormat.JWT,
        allowImpersonation: true,
        maxActiveAccessTokens: 7,
        metadata: { team: 'shop', tier: '1' },
      }
      const given = async () => {
        const { clientId } = await server.registerClient({ scopes: ['a'], config })
        const { client } = await server.call(getClient, { clientId }, admin())
        return { clientId, config: client?.config }
      }
      const update = async (clientId: string, more: object, paths?: string[]) => {
        const request = { client: { clientId, ...more }, ...(paths !== undefined && { updateMask: { paths } }) }
        return (await server.call(updateClient, request, admin())).client
      }

      it.each([{ mask: 'no' }, { mask: 'an empty', paths: [] }])(
        'with $mask mask changes only the set fields',
        async ({ paths }) => {
          const { clientId, config: before } = await given()
          const shorter = await update(clientId, { config: { accessTokenTtl: { seconds: 60n } } }, paths)
          expect(shorter?.config).toEqual({ ...before, accessTokenTtl: shorter?.config?.accessTokenTtl })
          expect(shorter?.config?.accessTokenTtl?.seconds).toBe(60n)
          expect(shorter?.scopes).toEqual(['a'])
          const off = await update(clientId, { config: { allowImpersonation: false, metadata: {} } }, paths)
          expect(off?.config).toEqual({ ...shorter?.config, allowImpersonation: false })
          const other = await update(clientId, { config: { metadata: { team: 'pay' } } }, paths)
          expect(other?.config).toEqual({ ...off?.config, metadata: { team: 'pay' } })
        },
      )

      it.each([undefined, []])(
        'without a mask (%s) an empty config changes nothing, including the etag',
        async (paths) => {
          const { clientId, config: before } = await given()
          const { client } = await server.call(getClient, { clientId }, admin())
          const after = await update(clientId, { config: {}, scopes: [] }, paths)
          expect(after).toEqual(client)
          expect(after?.config).toEqual(before)
        },
      )

      it('a mask with config replaces it, one with a field in it changes only that', async () => {
        const { clientId, config: before } = await given()
        const paths = ['config.refresh_token_replay_window', 'config.max_active_access_tokens']
        const narrow = await update(clientId, { config: { accessTokenTtl: { seconds: 60n } } }, paths)
        expect(narrow?.config?.accessTokenTtl).toEqual(before?.accessTokenTtl)
        expect(narrow?.config?.refreshTokenReplayWindow?.seconds).toBe(10n)
        expect(narrow?.config?.maxActiveAccessTokens).toBeUndefined()
        expect(narrow?.config?.metadata).toEqual(before?.metadata)
        const whole = await update(clientId, { config: { accessTokenTtl: { seconds: 60n } } }, ['config'])
        expect(whole?.config).toMatchObject({ allowImpersonation: false, metadata: {} })
        expect(whole?.config?.accessTokenTtl?.seconds).toBe(60n)
        expect(whole?.config?.accessTokenFormat).toBe(AccessTokenFormat.OPAQUE)
      })

      it('a mask cannot name a map entry, and * must be alone', async () => {
        const { clientId } = await given()
        for (const paths of [
          ['config.metadata.team'],
          ['config.*'],
          ['*', 'scopes'],
          ['config.nothing'],
          ['config.'],
        ]) {
          const refused = await refusalOf(update(clientId, {}, paths))
          expect(refused).toMatchObject({ reason: 'OAUTH_INVALID_REQUEST', violations: ['update_mask'] })
        }
      })
    })

    it('without a mask changes the set fields; with * all changeable ones', async () => {
      const { clientId } = await server.registerClient({ scopes: ['a'], audiences: ['https://x.example'] })
      const set = await server.call(updateClient, { client: { clientId, displayName: 'Named' } }, admin())
      expect(set.client).toMatchObject({ displayName: 'Named', scopes: ['a'] })
      const all = { client: { clientId, displayName: 'Only this' }, updateMask: { paths: ['*'] } }
      expect((await server.call(updateClient, all, admin())).client).toMatchObject({
        displayName: 'Only this',
        scopes: [],
        audiences: [],
        grantTypes: [],
      })
    })

    it('refuses fields that are fixed or do not exist', async () => {
      const { clientId } = await server.registerClient({})
      for (const path of ['client_id', 'type', 'enabled', 'create_time', 'config.nope', 'nope', 'config.', 'Scopes']) {
        const refused = await refusalOf(
          server.call(updateClient, { client: { clientId }, updateMask: { paths: [path] } }, admin()),
        )
        expect(refused).toMatchObject({ reason: 'OAUTH_INVALID_REQUEST', violations: ['update_mask'] })
      }
    })

    it('reports only as many invalid fields as fit into a header', async () => {
      const { clientId } = await server.registerClient({})
      const paths = Array.from({ length: 3_000 }, (_, index) => `nope${index}`)
      const refused = await refusalOf(
        server.call(updateClient, { client: { clientId }, updateMask: { paths } }, admin()),
      )
      expect(refused.reason).toBe('OAUTH_INVALID_REQUEST')
      expect(refused.violations.length).toBe(16)
    })

    it('refuses a stale etag, and accepts one of several parallel updates with the same etag', async () => {
      const { clientId } = await server.registerClient({})
      const { client } = await server.call(getClient, { clientId }, admin())
      const etag = client?.etag ?? ''
      const attempts = await Promise.allSettled(
        Array.from({ length: 10 }, (_, index) =>
          server.call(updateClient, { client: { clientId, displayName: `n${index}` }, etag }, admin()),
        ),
      )
      expect(attempts.filter(({ status }) => status === 'fulfilled').length).toBe(1)
      for (const attempt of attempts) {
        if (attempt.status === 'rejected')
          expect(attempt.reason).toMatchObject({ status: 'ABORTED', reason: 'RESOURCE_CONFLICT' })
      }
      const stale = await refusalOf(
        server.call(updateClient, { client: { clientId, displayName: 'x', etag } }, admin()),
      )
      expect(stale).toMatchObject({ status: 'ABORTED', reason: 'RESOURCE_CONFLICT' })
    })

    it('applies the rules of registration', async () => {
      const { clientId } = await server.registerClient({})
      const wrong = { client: { clientId, grantTypes: [GrantType.AUTHORIZATION_CODE] } }
      expect((await refusalOf(server.call(updateClient, wrong, admin()))).violations).toEqual(['redirect_uris'])
      expect((await refusalOf(server.call(updateClient, { client: { clientId: 'nobody' } }, admin()))).reason).toBe(
        'RESOURCE_NOT_FOUND',
      )
    })
  })

  describe('DeleteClient', () => {
    it('removes the client, keeps its id reserved and frees its audiences', async () => {
      const audience = server.unique('https://gone.example/')
      const { clientId, client } = await server.registerClient({ resourceAudiences: [audience] })
      await server.call(deleteClient, { clientId }, admin())
      expect((await refusalOf(server.call(getClient, { clientId }, admin()))).reason).toBe('RESOURCE_NOT_FOUND')
      expect((await refusalOf(server.call(deleteClient, { clientId }, admin()))).reason).toBe('RESOURCE_NOT_FOUND')
      expect((await refusalOf(server.call(mintToken, { client }))).reason).toBe('OAUTH_INVALID_CLIENT')
      const again = await refusalOf(server.call(registerClient, { ...confidential, clientId }, admin()))
      expect(again.reason).toBe('REGISTRATION_CLIENT_IDENTIFIER_CONFLICT')
      await server.registerClient({ resourceAudiences: [audience] })
    })
  })

  describe('EnableClient and DisableClient', () => {
    it('switch once, can be repeated, and are audited once', async () => {
      const { clientId, client } = await server.registerClient({})
      await Promise.all(Array.from({ length: 8 }, () => server.call(disableClient, { clientId }, admin())))
      expect((await server.call(getClient, { clientId }, admin())).client?.enabled).toBe(false)
      expect((await refusalOf(server.call(mintToken, { client }))).reason).toBe('OAUTH_INVALID_CLIENT')
      expect((await server.auditEvents({ clientId, eventTypes: ['client.disabled'] })).length).toBe(1)
      expect((await server.call(enableClient, { clientId }, admin())).client?.enabled).toBe(true)
      await server.call(mintToken, { client })
    })
  })

  describe('secrets', () => {
    it('rotate without overlap: the old one ends at once', async () => {
      const { clientId, client } = await server.registerClient({})
      const { clientSecret } = await server.call(rotateClientSecret, { clientId }, admin())
      expect((await refusalOf(server.call(mintToken, { client }))).reason).toBe('OAUTH_INVALID_CLIENT')
      await server.call(mintToken, { client: secretOf(clientId, clientSecret) })
    })

    it('rotate with overlap: both work until it is over', async () => {
      const { clientId, client } = await server.registerClient({})
      const rotated = await server.call(rotateClientSecret, { clientId, overlap: { seconds: 60n } }, admin())
      await server.call(mintToken, { client })
      await server.call(mintToken, { client: secretOf(clientId, rotated.clientSecret) })
      server.clock.advance(60_000)
      expect((await refusalOf(server.call(mintToken, { client }))).reason).toBe('OAUTH_INVALID_CLIENT')
      await server.call(mintToken, { client: secretOf(clientId, rotated.clientSecret) })
    })

    it('have the time of their last use, to the minute', async () => {
      const { clientId, client } = await server.registerClient({})
      const before = await server.call(listClientSecrets, { clientId }, admin())
      expect(before.secrets[0]?.lastUsedTime).toBeUndefined()
      await server.call(mintToken, { client })
      await server.flush()
      const { secrets } = await server.call(listClientSecrets, { clientId }, admin())
      const minute = BigInt(Math.floor(server.clock.now() / 60_000) * 60)
      expect(secrets[0]?.lastUsedTime).toMatchObject({ seconds: minute, nanos: 0 })
    })

    it('are revoked one by one', async () => {
      const { clientId, client } = await server.registerClient({})
      const { clientSecret, secretId } = await server.call(
        rotateClientSecret,
        { clientId, overlap: { seconds: 600n } },
        admin(),
      )
      const { secrets } = await server.call(listClientSecrets, { clientId }, admin())
      expect(secrets.map((secret) => secret.secretId)[0]).toBe(secretId)
      const old = secrets[1]?.secretId ?? ''
      await server.call(revokeClientSecret, { clientId, secretId: old }, admin())
      expect((await refusalOf(server.call(mintToken, { client }))).reason).toBe('OAUTH_INVALID_CLIENT')
      await server.call(mintToken, { client: secretOf(clientId, clientSecret) })
      const gone = await refusalOf(server.call(revokeClientSecret, { clientId, secretId: old }, admin()))
      expect(gone).toMatchObject({ status: 'NOT_FOUND', reason: 'RESOURCE_NOT_FOUND' })
    })

    it('are limited, also for concurrent rotations', async () => {
      const { clientId } = await server.registerClient({})
      const overlap = { seconds: 3_600n }
      const attempts = await Promise.allSettled(
        Array.from({ length: 15 }, () => server.call(rotateClientSecret, { clientId, overlap }, admin())),
      )
      const { secrets } = await server.call(listClientSecrets, { clientId }, admin())
      expect(secrets.length).toBe(10)
      expect(attempts.filter(({ status }) => status === 'fulfilled').length).toBe(9)
      const refused = await refusalOf(server.call(rotateClientSecret, { clientId, overlap }, admin()))
      expect(refused).toMatchObject({ status: 'RESOURCE_EXHAUSTED', reason: 'LIMIT_EXCEEDED' })
      expect(refused.details.quota?.violations[0]?.subject).toBe(`client:${clientId}`)
      expect(refused.details.retry?.retryDelay?.seconds).toBeGreaterThan(0n)
    })

    it('do not exist for a public client', async () => {
      const { clientId } = await server.registerClient({ type: ClientType.PUBLIC, grantTypes: [] })
      const refused = await refusalOf(server.call(rotateClientSecret, { clientId }, admin()))
      expect(refused.reason).toBe('REGISTRATION_INVALID_CLIENT_METADATA')
    })
  })

  describe('ListClients', () => {
    it('pages in order of ids, with a filter', async () => {
      const prefix = server.unique('list-')
      const ids = ['C', 'a', 'b', 'c', 'd'].map((suffix) => `${prefix}.${suffix}`)
      for (const clientId of [...ids].reverse())
        await server.call(registerClient, { ...confidential, clientId }, admin())
      await server.call(disableClient, { clientId: `${prefix}.b` }, admin())
      const seen: string[] = []
      let pageToken = ''
      do {
        const page = await server.call(listClients, { clientIdPrefix: prefix, pageSize: 2, pageToken }, admin())
        seen.push(...page.clients.map(({ clientId }) => clientId))
        pageToken = page.nextPageToken
      } while (pageToken !== '')
      expect(seen).toEqual(ids)
      const disabled = await server.call(listClients, { clientIdPrefix: prefix, enabled: false }, admin())
      expect(disabled.clients.map(({ clientId }) => clientId)).toEqual([`${prefix}.b`])
    })

    it('treats wildcards in a prefix literally', async () => {
      const prefix = server.unique('like_')
      await server.call(registerClient, { ...confidential, clientId: prefix.replace('_', 'x') }, admin())
      const { clients } = await server.call(listClients, { clientIdPrefix: prefix }, admin())
      expect(clients).toEqual([])
    })
  })
})
