import { randomUUID } from 'node:crypto'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { AuthenticationMethod } from '../../src/gen/qscope/v1/client_pb.ts'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { type Claims, type SigningPair, signed, signingPair } from '../setup/assertions.ts'
import { refusalOf } from '../setup/client.ts'
import { discoverableIssuer, LOCAL_HOSTS, localHosts, trustOn } from '../setup/foreign-issuer.ts'
import { ASSERTION_TYPE, formsOn, HTTP_PORT } from '../setup/forms.ts'
import { sqliteFiles } from '../setup/fresh-database.ts'
import { startServer } from '../setup/server.ts'

const hosts = localHosts()
const { caCertificates } = hosts
const database = await sqliteFiles.create()
// The limits for failed authentications are the defaults.
const server = await startServer(database.url, undefined, undefined, { ...LOCAL_HOSTS, ...HTTP_PORT })
const forms = formsOn(server)
const { trust } = trustOn(server)

// RFC 7591 has no authorities for a `jwks_uri`: its host is authenticated by those of the machine.
const authorities = getCACertificates('default')
beforeAll(() => setDefaultCACertificates([...authorities, caCertificates]))
afterAll(async () => {
  setDefaultCACertificates(authorities)
  await server.stop()
  await database.drop()
})

/** More than the failures that one address may have for one client. */
const MANY = 150
const INVALID = ['UNAUTHENTICATED', 'OAUTH_INVALID_CLIENT']
const UNAVAILABLE = ['UNAVAILABLE', 'OAUTH_TEMPORARILY_UNAVAILABLE']
const now = () => Math.floor(server.clock.now() / 1_000)

/** A client whose keys stand at a host of this machine, and calls with its assertions. */
interface Publisher extends Pick<Awaited<ReturnType<typeof discoverableIssuer>>, 'host' | 'publish'> {
  readonly clientId: string
  readonly claims: (more?: Claims) => Claims
}

async function clientWithJwksUri(pair: SigningPair): Promise<Publisher> {
  const { host, publish, issuer: origin } = await discoverableIssuer(hosts, pair)
  const { clientId } = await server.registerClient({
    authenticationMethod: AuthenticationMethod.PRIVATE_KEY_JWT,
    jwksUri: `${origin}/jwks`,
  })
  return { host, publish, clientId, claims: (more) => claimsOf(clientId, clientId, more) }
}

async function federatedClient(pair: SigningPair): Promise<Publisher> {
  const { host, publish, issuer } = await discoverableIssuer(hosts, pair)
  await trust({ issuer, keys: { case: 'discovery', value: true }, caCertificates })
  const subject = 'system:serviceaccount:shop:orders'
  const { clientId } = await server.registerClient({
    authenticationMethod: AuthenticationMethod.FEDERATED_JWT,
    federatedIdentities: [{ issuer, subject }],
  })
  return { host, publish, clientId, claims: (more) => claimsOf(issuer, subject, more) }
}

function claimsOf(iss: string, sub: string, more: Claims = {}): Claims {
  return { iss, sub, aud: server.issuer, jti: randomUUID(), iat: now(), exp: now() + 60, ...more }
}

const proofOf = (clientId: string, value: string) => ({
  clientId,
  method: { case: 'clientAssertion' as const, value },
})
const mint = (clientId: string, assertion: string) =>
  server.call(TokenService.method.mintToken, { client: proofOf(clientId, assertion) })
const mintByForm = (clientId: string, assertion: string) =>
  forms.token({
    grant_type: 'client_credentials',
    client_id: clientId,
    client_assertion: assertion,
    client_assertion_type: ASSERTION_TYPE,
  })

async function refused(clientId: string, assertion: string) {
  const { status, reason } = await refusalOf(mint(clientId, assertion))
  return [status, reason]
}

async function recordedFailures(clientId: string): Promise<number> {
  await server.flush()
  return (await server.auditEvents({ clientId, eventTypes: ['client.authentication_failed'] })).length
}

describe.each([
  ['a client with a jwks_uri', clientWithJwksUri],
  ['a FEDERATED_JWT client of a discovered issuer', federatedClient],
])('the published keys of %s', (_kind, opened) => {
  it('that cannot be fetched are no failure of the client: it is accepted as soon as they can be', async () => {
    const pair = signingPair('ES256')
    const { host, publish, clientId, claims } = await opened(pair)
    host.answers.set('/jwks', 503)
    const attempts = Array.from({ length: MANY }, async () => await refused(clientId, await signed(pair, claims())))
    for (const refusal of await Promise.all(attempts)) expect(refusal).toEqual(UNAVAILABLE)
    const { status, headers, body } = await mintByForm(clientId, await signed(pair, claims()))
    expect([status, body['error'], headers.get('retry-after')]).toEqual([503, 'temporarily_unavailable', '5'])
    expect(await recordedFailures(clientId)).toBe(0)

    publish(pair)
    server.clock.advance(5_000)
    expect((await mint(clientId, await signed(pair, claims()))).token?.accessToken).not.toBe('')
    expect((await mintByForm(clientId, await signed(pair, claims()))).status).toBe(200)
  })
})

describe('while the keys at a jwks_uri cannot be fetched', async () => {
  const pair = signingPair('ES256')
  const { host, clientId, claims } = await clientWithJwksUri(pair)

  it('an assertion that no key could make valid is refused, counted and audited as before', async () => {
    host.answers.set('/jwks', 503)
    const broken: readonly Claims[] = [
      { aud: 'https://other.example' },
      { exp: now() - 1 },
      { exp: now() + 3_600 },
      { jti: undefined },
      { iss: 'https://other.example' },
      { sub: 'another-client' },
    ]
    for (const more of broken) {
      expect([more, await refused(clientId, await signed(pair, claims(more)))]).toEqual([more, INVALID])
    }
    const typed = await signed(pair, claims(), { typ: 'at+jwt' })
    expect(await refused(clientId, typed)).toEqual(INVALID)
    expect(await recordedFailures(clientId)).toBe(broken.length + 1)
    // None of them made the server ask the host.
    expect(host.asked).toEqual([])
  })
})
