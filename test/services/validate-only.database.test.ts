import { describe, expect, it } from 'vitest'
import { ClientType, GrantType } from '../../src/gen/qscope/v1/client_pb.ts'
import { ClientService } from '../../src/gen/qscope/v1/client_service_pb.ts'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { onEveryBackend } from '../setup/backends.ts'
import { refusalOf } from '../setup/client.ts'
import { dump } from '../setup/dump.ts'

const {
  deleteClient,
  disableClient,
  enableClient,
  getClient,
  listClientSecrets,
  registerClient,
  rotateClientSecret,
  updateClient,
} = ClientService.method
const validateOnly = true

onEveryBackend('validate_only of ClientService', (server, database) => {
  const admin = () => ({ bearer: server.admin.token })
  const read = async (clientId: string) => (await server.call(getClient, { clientId }, admin())).client
  const confidential = { type: ClientType.CONFIDENTIAL, grantTypes: [GrantType.CLIENT_CREDENTIALS] }

  it('writes nothing: the database is the same, byte for byte', async () => {
    const { clientId } = await server.registerClient({ scopes: ['a'] })
    const off = await server.registerClient({})
    await server.call(disableClient, { clientId: off.clientId }, admin())
    await server.flush()
    const before = await dump(database)
    await server.call(registerClient, { ...confidential, validateOnly }, admin())
    await server.call(updateClient, { client: { clientId, scopes: ['b'] }, validateOnly }, admin())
    await server.call(disableClient, { clientId, validateOnly }, admin())
    await server.call(enableClient, { clientId: off.clientId, validateOnly }, admin())
    await server.call(rotateClientSecret, { clientId, validateOnly }, admin())
    await server.call(deleteClient, { clientId, validateOnly }, admin())
    await server.flush()
    expect(await dump(database)).toEqual(before)
  })

  it('returns the client as it would be registered, without a secret, an etag and a generated id', async () => {
    const clientId = server.unique('planned-')
    const request = { ...confidential, scopes: ['a', 'a', 'b'], validateOnly }
    const named = await server.call(registerClient, { ...request, clientId }, admin())
    expect(named.client).toMatchObject({ clientId, displayName: clientId, scopes: ['a', 'b'], enabled: true, etag: '' })
    expect(named.clientSecret).toBe('')
    const drawn = await server.call(registerClient, request, admin())
    expect(drawn.client).toMatchObject({ clientId: '', displayName: '', scopes: ['a', 'b'] })
    expect(drawn.clientSecret).toBe('')
    const registered = await server.call(registerClient, { ...request, clientId, validateOnly: false }, admin())
    const { createTime: _planned, updateTime: _too, etag: _none, ...planned } = named.client ?? {}
    expect(registered.client).toMatchObject(planned)
  })

  it('returns the client as it would be changed, with the etag that the change has to name', async () => {
    const { clientId } = await server.registerClient({ scopes: ['a'] })
    const { etag = '' } = (await read(clientId)) ?? {}
    const change = { client: { clientId, scopes: ['b'] }, etag }
    const { client } = await server.call(updateClient, { ...change, validateOnly }, admin())
    expect(client).toMatchObject({ scopes: ['b'], etag })
    expect(await read(clientId)).toMatchObject({ scopes: ['a'], etag })
    const changed = await server.call(updateClient, { ...change, etag: client?.etag ?? '' }, admin())
    expect(changed.client).toMatchObject({ scopes: ['b'] })
  })

  it('returns a client as it would be disabled and enabled, without changing it', async () => {
    const { clientId, client } = await server.registerClient({})
    const disabled = await server.call(disableClient, { clientId, validateOnly }, admin())
    expect(disabled.client?.enabled).toBe(false)
    await server.call(TokenService.method.mintToken, { client })
    await server.call(disableClient, { clientId }, admin())
    const enabled = await server.call(enableClient, { clientId, validateOnly }, admin())
    expect(enabled.client?.enabled).toBe(true)
    expect((await read(clientId))?.enabled).toBe(false)
  })

  it('creates no secret, and the old ones stay valid', async () => {
    const { clientId, client } = await server.registerClient({})
    const secrets = () => server.call(listClientSecrets, { clientId }, admin())
    const before = await secrets()
    const answer = await server.call(rotateClientSecret, { clientId, validateOnly }, admin())
    expect(answer).toMatchObject({ clientSecret: '', secretId: '' })
    expect(await secrets()).toEqual(before)
    await server.call(TokenService.method.mintToken, { client })
  })

  describe('refuses as the call would', () => {
    it.each<[string, () => Promise<unknown>, string]>([
      [
        'a registration under an id that is taken',
        async () => {
          const { clientId } = await server.registerClient({})
          return await server.call(registerClient, { ...confidential, clientId, validateOnly }, admin())
        },
        'REGISTRATION_CLIENT_IDENTIFIER_CONFLICT',
      ],
      [
        'a registration that is not sound',
        () =>
          server.call(
            registerClient,
            { type: ClientType.PUBLIC, grantTypes: [GrantType.CLIENT_CREDENTIALS], validateOnly },
            admin(),
          ),
        'REGISTRATION_INVALID_CLIENT_METADATA',
      ],
      [
        'a change of another version',
        async () => {
          const { clientId } = await server.registerClient({})
          return await server.call(
            updateClient,
            { client: { clientId, scopes: ['x'] }, etag: 'v9', validateOnly },
            admin(),
          )
        },
        'RESOURCE_CONFLICT',
      ],
      [
        'a client that does not exist',
        () => server.call(deleteClient, { clientId: 'nobody-here', validateOnly }, admin()),
        'RESOURCE_NOT_FOUND',
      ],
      [
        'a permission that the caller lacks',
        async () => {
          const { client } = await server.registerClient({ scopes: ['qscope:clients.write'] })
          const { token } = await server.call(TokenService.method.mintToken, { client })
          const request = { ...confidential, scopes: ['qscope:users.read'], validateOnly }
          return await server.call(registerClient, request, { bearer: token?.accessToken ?? '' })
        },
        'OAUTH_INSUFFICIENT_SCOPE',
      ],
      [
        'a secret for a client without secrets',
        async () => {
          const { clientId } = await server.registerClient({ type: ClientType.PUBLIC, grantTypes: [] })
          return await server.call(rotateClientSecret, { clientId, validateOnly }, admin())
        },
        'REGISTRATION_INVALID_CLIENT_METADATA',
      ],
    ])('%s', async (_what, call, reason) => {
      expect((await refusalOf(call())).reason).toBe(reason)
    })
  })
})
