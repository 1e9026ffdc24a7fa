import { randomUUID } from 'node:crypto'
import { expect, it } from 'vitest'
import { AuthenticationMethod } from '../../src/gen/qscope/v1/client_pb.ts'
import { ClientService } from '../../src/gen/qscope/v1/client_service_pb.ts'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { TrustService } from '../../src/gen/qscope/v1/trust_service_pb.ts'
import { LIMITS_OFF } from '../attacks/limits-off.ts'
import { jwksOf, signingPair } from '../setup/assertions.ts'
import { onEveryBackend } from '../setup/backends.ts'
import { refusalOf } from '../setup/client.ts'
import { jwtPlatform, workload } from '../setup/federated.ts'

const FEDERATED_JWT = AuthenticationMethod.FEDERATED_JWT
const PRIVATE_KEY_JWT = AuthenticationMethod.PRIVATE_KEY_JWT
const ISSUER = 'https://cluster.example'
const UNACCEPTABLE = 'REGISTRATION_INVALID_CLIENT_METADATA'

onEveryBackend(
  'federated identities of clients',
  (server) => {
    const bearer = () => ({ bearer: server.admin.token })
    const identity = (subject: string = randomUUID(), issuer = ISSUER) => ({ issuer, subject })
    type Identity = ReturnType<typeof identity>
    const register = (...federatedIdentities: readonly Identity[]) =>
      server.registerClient({ authenticationMethod: FEDERATED_JWT, federatedIdentities: [...federatedIdentities] })
    const read = async (clientId: string) =>
      (await server.call(ClientService.method.getClient, { clientId }, bearer())).client
    type Changes = { federatedIdentities?: Identity[]; jwksUri?: string; displayName?: string; jwks?: string }
    const update = (clientId: string, client: Changes, ...paths: string[]) =>
      server.call(
        ClientService.method.updateClient,
        { client: { clientId, ...client }, updateMask: { paths } },
        bearer(),
      )
    /** A token that may administer clients and issuers, and nothing else. */
    const administrator = async () => {
      const scopes = ['qscope:clients.write', 'qscope:trust.write']
      const { client } = await server.registerClient({ scopes })
      return { bearer: (await server.call(TokenService.method.mintToken, { client })).token?.accessToken ?? '' }
    }

    it('read back as registered, and need the method', async () => {
      const named = { ...identity(), requiredClaims: { '/a/b': 'x', __proto__x: 'y' } }
      const { clientId } = await register(named, identity())
      expect((await read(clientId))?.federatedIdentities[0]).toMatchObject(named)
      const unfit = [() => register(), () => server.registerClient({ federatedIdentities: [identity()] })]
      for (const call of unfit) {
        expect(await refusalOf(call())).toMatchObject({ reason: UNACCEPTABLE, violations: ['federated_identities'] })
      }
      const unsound = await refusalOf(
        register(identity('x', server.issuer), identity('y', 'spiffe://example.org'), identity('z'), identity('z')),
      )
      expect(unsound.violations).toEqual([
        'federated_identities[0].issuer',
        'federated_identities[1].subject',
        'federated_identities[3]',
      ])
    })

    it('belong to one client until it is changed or deleted', async () => {
      const [first, second] = [identity(), identity()]
      const { clientId } = await register(first)
      const other = await register(second)
      expect(await refusalOf(register(identity(), first))).toMatchObject({
        reason: UNACCEPTABLE,
        violations: ['federated_identities[1]'],
      })
      expect(
        await refusalOf(update(other.clientId, { federatedIdentities: [second, first] }, 'federated_identities')),
      ).toMatchObject({ reason: UNACCEPTABLE, violations: ['federated_identities[1]'] })
      const third = identity()
      await update(clientId, { federatedIdentities: [third] }, 'federated_identities')
      await update(other.clientId, { federatedIdentities: [second, first] }, 'federated_identities')
      await server.call(ClientService.method.deleteClient, { clientId }, bearer())
      await register(third)
    })

    it('are given to one of several concurrent registrations', async () => {
      const wanted = identity()
      const answers = await Promise.allSettled(Array.from({ length: 6 }, () => register(identity(), wanted)))
      const refused = answers.flatMap((answer) => (answer.status === 'rejected' ? [answer.reason] : []))
      expect(refused).toHaveLength(5)
      for (const reason of refused) {
        const refusal = await refusalOf(Promise.reject(reason))
        expect([refusal.reason, refusal.violations]).toEqual([UNACCEPTABLE, ['federated_identities[1]']])
      }
    })

    it('are not changed by a mask without them, such as *', async () => {
      const named = identity()
      const { clientId } = await register(named)
      await server.call(
        ClientService.method.updateClient,
        { client: { clientId, authenticationMethod: FEDERATED_JWT }, updateMask: { paths: ['*'] } },
        bearer(),
      )
      await update(clientId, { displayName: 'Orders' }, 'display_name')
      const client = await read(clientId)
      expect(client?.federatedIdentities).toMatchObject([named])
      await server.flush()
      const [event] = await server.auditEvents({ clientId, eventTypes: ['client.registered'] })
      expect(event?.metadata['federated_identities']).toBe(JSON.stringify([named.issuer, named.subject]))
    })

    it("cannot grant permissions that the caller's token lacks", async () => {
      const platform = await jwtPlatform(server)
      const powerful = { scopes: ['qscope:keys.write'] }
      const { clientId, subject } = await workload(server, platform, powerful)
      const asAdministrator = await administrator()
      const published = await server.registerClient({
        authenticationMethod: PRIVATE_KEY_JWT,
        jwksUri: 'https://keys.example/jwks.json',
        ...powerful,
      })
      const change = (client: Changes & { readonly clientId: string }, path: string) =>
        server.call(ClientService.method.updateClient, { client, updateMask: { paths: [path] } }, asAdministrator)
      const federatedIdentities = [identity(subject, platform.issuer), identity()]
      const replaceKeys = () =>
        server.call(
          TrustService.method.updateTrustedIssuer,
          {
            trustedIssuer: { issuer: platform.issuer, keys: { case: 'jwks', value: jwksOf(signingPair('ES256')) } },
            updateMask: { paths: ['jwks'] },
          },
          asAdministrator,
        )
      const takeovers = [
        () => change({ clientId, federatedIdentities }, 'federated_identities'),
        () => change({ clientId: published.clientId, jwksUri: 'https://thief.example/jwks.json' }, 'jwks_uri'),
        replaceKeys,
      ]
      for (const call of takeovers) {
        expect(await refusalOf(call())).toMatchObject({
          reason: 'OAUTH_INSUFFICIENT_SCOPE',
          metadata: { required_scopes: 'qscope:keys.write' },
        })
      }
      await server.call(ClientService.method.deleteClient, { clientId }, bearer())
      await replaceKeys()
    })

    it('jwks_uri and jwks exclude each other', async () => {
      const { clientId } = await server.registerClient({
        authenticationMethod: PRIVATE_KEY_JWT,
        jwksUri: 'https://keys.example/jwks.json',
      })
      expect(await read(clientId)).toMatchObject({ jwks: '', jwksUri: 'https://keys.example/jwks.json' })
      const jwks = jwksOf(signingPair('ES256'))
      expect(await refusalOf(update(clientId, { jwks }, 'jwks'))).toMatchObject({
        reason: UNACCEPTABLE,
        violations: ['jwks_uri'],
      })
      await update(clientId, { jwks }, 'jwks', 'jwks_uri')
      expect(await read(clientId)).toMatchObject({ jwks, jwksUri: '' })
    })
  },
  { variables: LIMITS_OFF },
)
