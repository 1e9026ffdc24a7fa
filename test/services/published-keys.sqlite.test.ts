import { randomUUID } from 'node:crypto'
import type { ServerResponse } from 'node:http'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import type { MessageInitShape } from '@bufbuild/protobuf'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import {
  AccessTokenFormat,
  AuthenticationMethod,
  type ClientSchema,
  GrantType,
} from '../../src/gen/qscope/v1/client_pb.ts'
import { ClientService } from '../../src/gen/qscope/v1/client_service_pb.ts'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { FORGERIES, FORGERIES_BY_JWT } from '../attacks/forged-assertions.ts'
import { type Claims, jwksOf, type SigningPair, signed, signingPair } from '../setup/assertions.ts'
import { refusalOf } from '../setup/client.ts'
import { discoverableIssuer, LOCAL_HOSTS, localHosts, trustOn, urlOf } from '../setup/foreign-issuer.ts'
import { ASSERTION_TYPE, formsOn, HTTP_PORT } from '../setup/forms.ts'
import { sqliteFiles } from '../setup/fresh-database.ts'
import { startServer } from '../setup/server.ts'

const hosts = localHosts()
const { caCertificates } = hosts
const database = await sqliteFiles.create()
// The limits for failed authentications are the defaults.
const server = await startServer(database.url, undefined, undefined, { ...LOCAL_HOSTS, ...HTTP_PORT })
const forms = formsOn(server)
const { trust, move } = trustOn(server)

// RFC 7591 has no authorities for a `jwks_uri`: its host is authenticated by those of the machine.
const authorities = getCACertificates('default')
beforeAll(() => setDefaultCACertificates([...authorities, caCertificates]))
afterAll(async () => {
  setDefaultCACertificates(authorities)
  await server.stop()
  await database.drop()
})

const MINUTE = 60_000
/** More than the failures that one address may have for one client. */
const MANY = 150
const INVALID = ['UNAUTHENTICATED', 'OAUTH_INVALID_CLIENT']
const UNAVAILABLE = ['UNAVAILABLE', 'OAUTH_TEMPORARILY_UNAVAILABLE']
const now = () => Math.floor(server.clock.now() / 1_000)

/** A client whose keys stand at a host of this machine, and calls with its assertions. */
interface Publisher extends Awaited<ReturnType<typeof discoverableIssuer>> {
  readonly clientId: string
  readonly claims: (more?: Claims) => Claims
}

async function clientWithJwksUri(pair: SigningPair): Promise<Publisher> {
  const published = await discoverableIssuer(hosts, pair)
  return { ...published, ...(await clientWithKeysAt(`${published.issuer}/jwks`)) }
}

async function clientWithKeysAt(jwksUri: string): Promise<Pick<Publisher, 'clientId' | 'claims'>> {
  const authenticationMethod = AuthenticationMethod.PRIVATE_KEY_JWT
  const { clientId } = await server.registerClient({ authenticationMethod, jwksUri })
  return { clientId, claims: (more) => claimsOf(clientId, clientId, more) }
}

async function federatedClient(pair: SigningPair): Promise<Publisher> {
  const published = await discoverableIssuer(hosts, pair)
  const { issuer } = published
  await trust({ issuer, keys: { case: 'discovery', value: true }, caCertificates })
  const subject = 'system:serviceaccount:shop:orders'
  const { clientId } = await server.registerClient({
    authenticationMethod: AuthenticationMethod.FEDERATED_JWT,
    federatedIdentities: [{ issuer, subject }],
  })
  return { ...published, clientId, claims: (more) => claimsOf(issuer, subject, more) }
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

/** The answer to a call after a change that is made while the call waits for keys. */
async function answerAfter<T>(
  change: () => Promise<unknown>,
  pair: SigningPair,
  host: Publisher['host'],
  call: () => Promise<T>,
): Promise<T> {
  const { promise, resolve } = Promise.withResolvers<ServerResponse>()
  host.answers.set('/jwks', resolve)
  const answer = call()
  const response = await promise
  await change()
  response.end(jwksOf(pair))
  return await answer
}

/** The refusal of an assertion whose client or issuer is changed while its keys are fetched. */
async function refusedAfter(change: () => Promise<unknown>, pair: SigningPair, { host, clientId, claims }: Publisher) {
  const assertion = await signed(pair, claims())
  return await answerAfter(change, pair, host, () => refused(clientId, assertion))
}

const updateClient = (client: MessageInitShape<typeof ClientSchema>, ...paths: string[]) =>
  server.call(ClientService.method.updateClient, { client, updateMask: { paths } }, { bearer: server.admin.token })

async function recordedFailures(clientId: string): Promise<number> {
  await server.flush()
  return (await server.auditEvents({ clientId, eventTypes: ['client.authentication_failed'] })).length
}

// The next two suites come first: they count on a clock that was not set forward.
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

describe('the keys at a jwks_uri', () => {
  it('verify no forged assertion, and still verify valid ones', async () => {
    const [pair, otherPair] = [signingPair('RS256'), signingPair('RS256')]
    const { clientId, claims } = await clientWithJwksUri(pair)
    const { clientId: other } = await clientWithJwksUri(otherPair)
    const jwt = await server.registerClient({ config: { accessTokenFormat: AccessTokenFormat.JWT } })
    const { token } = await server.call(TokenService.method.mintToken, { client: jwt.client })
    const target = {
      pair,
      claims: claims(),
      audience: server.issuer,
      other: { issuer: other, subject: other, pair: otherPair },
      ownToken: token?.accessToken ?? '',
    }
    for (const [name, forge] of Object.entries({ ...FORGERIES, ...FORGERIES_BY_JWT })) {
      const refusal = await refused(clientId, await forge(target))
      // Text that is longer than any assertion is an invalid request.
      const expected = name === 'that is huge' ? ['INVALID_ARGUMENT', 'OAUTH_INVALID_REQUEST'] : INVALID
      expect([name, refusal]).toEqual([name, expected])
    }
    const forged = await mintByForm(clientId, await signed({ ...otherPair, kid: pair.kid }, claims()))
    expect([forged.status, forged.body['error']]).toEqual([401, 'invalid_client'])
    expect((await mint(clientId, await signed(pair, target.claims))).token?.accessToken).not.toBe('')
  })
})

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

  it('may be replaced without a refused call, and a withdrawn key is refused after the next fetch', async () => {
    const [first, second, third] = [signingPair('ES256'), signingPair('RS256'), signingPair('EdDSA')]
    const { publish, clientId, claims } = await opened(first)
    const accepts = async (pair: SigningPair) =>
      expect((await mint(clientId, await signed(pair, claims()))).token?.accessToken).not.toBe('')
    await accepts(first)
    publish(first, second)
    // An unknown key is looked for at once.
    await accepts(second)
    await accepts(first)
    publish(second, third)
    server.clock.advance(MINUTE)
    await accepts(third)
    await vi.waitFor(async () => expect(await refused(clientId, await signed(first, claims()))).toEqual(INVALID))
    await accepts(second)
    await accepts(third)
    publish(third)
    // The copy with the second key is older than may be used.
    server.clock.advance(5 * MINUTE)
    expect(await refused(clientId, await signed(second, claims()))).toEqual(INVALID)
    await accepts(third)
  })

  it('are used for five minutes of an outage; new keys are accepted soon after it', async () => {
    const [known, published] = [signingPair('ES256'), signingPair('ES256')]
    const { host, publish, clientId, claims } = await opened(known)
    const assertion = (pair: SigningPair) => signed(pair, claims())
    const isAccepted = async (pair: SigningPair) => (await mint(clientId, await assertion(pair))).token !== undefined
    expect(await isAccepted(known)).toBe(true)
    host.answers.set('/jwks', 503)
    for (let minutes = 0; minutes < 4; minutes += 1) {
      server.clock.advance(MINUTE)
      expect(await isAccepted(known)).toBe(true)
      // Whether the client has this key is unknown, so it is not refused as forged.
      expect(await refused(clientId, await assertion(published))).toEqual(UNAVAILABLE)
    }
    expect((await mintByForm(clientId, await assertion(known))).status).toBe(200)
    server.clock.advance(MINUTE)
    for (const pair of [known, published]) expect(await refused(clientId, await assertion(pair))).toEqual(UNAVAILABLE)
    expect(await recordedFailures(clientId)).toBe(0)
    publish(known, published)
    server.clock.advance(5_000)
    for (const pair of [published, known]) expect(await isAccepted(pair)).toBe(true)
  })
})

describe('keys that arrive after a change', () => {
  it('of the jwks_uri authenticate the client no more', async () => {
    const [stolen, fresh] = [signingPair('ES256'), signingPair('ES256')]
    const client = await clientWithJwksUri(stolen)
    const { host, clientId, claims } = client
    host.answers.set('/fresh', jwksOf(fresh))
    const jwksUri = `${urlOf(host)}/fresh`
    const change = () => updateClient({ clientId, jwksUri }, 'jwks_uri')
    expect(await refusedAfter(change, stolen, client)).toEqual(UNAVAILABLE)
    expect(await refused(clientId, await signed(stolen, claims()))).toEqual(INVALID)
    expect((await mint(clientId, await signed(fresh, claims()))).token?.accessToken).not.toBe('')
  })

  it('of the federated identities authenticate the client no more', async () => {
    const pair = signingPair('ES256')
    const client = await federatedClient(pair)
    const { clientId, issuer } = client
    const federatedIdentities = [{ issuer, subject: 'another-workload' }]
    const change = () => updateClient({ clientId, federatedIdentities }, 'federated_identities')
    expect(await refusedAfter(change, pair, client)).toEqual(INVALID)
  })

  it('of the place of the issuer’s keys authenticate the client no more', async () => {
    const [stolen, fresh] = [signingPair('ES256'), signingPair('ES256')]
    const client = await federatedClient(stolen)
    const { host, issuer, clientId, claims } = client
    host.answers.set('/fresh', jwksOf(fresh))
    expect(await refusedAfter(() => move(issuer, `${issuer}/fresh`), stolen, client)).toEqual(UNAVAILABLE)
    expect(await refused(clientId, await signed(stolen, claims()))).toEqual(INVALID)
    expect((await mint(clientId, await signed(fresh, claims()))).token?.accessToken).not.toBe('')
  })

  it('of the certificate of a client give no token to a caller that authenticated before', async () => {
    const pair = signingPair('ES256')
    const { host, issuer } = await discoverableIssuer(hosts, pair)
    const scopes = ['stock.read']
    const grantTypes = [GrantType.CLIENT_CREDENTIALS, GrantType.JWT_BEARER]
    const { clientId, client } = await server.registerClient({ scopes, grantTypes })
    const rules = [{ claims: { sub: 'job' }, clientId, scopes }]
    await trust({ issuer, keys: { case: 'discovery', value: true }, caCertificates, rules })
    const assertion = await signed(pair, claimsOf(issuer, 'job'))
    const exchange = () => server.call(TokenService.method.exchangeAssertion, { assertion, client })
    const change = () =>
      updateClient(
        { clientId, authenticationMethod: AuthenticationMethod.TLS_CLIENT, tlsClientSubject: 'dns:job.internal' },
        'authentication_method',
        'tls_client_subject',
      )
    const { reason } = await refusalOf(answerAfter(change, pair, host, exchange))
    expect(reason).toBe('OAUTH_INVALID_GRANT')
  })
})

it('two clients with the same jwks_uri share its fetches, but not their assertions', async () => {
  const pair = signingPair('ES256')
  const one = await clientWithJwksUri(pair)
  const two = await clientWithKeysAt(`${one.issuer}/jwks`)
  const assertions = await Promise.all([one, two].map(({ claims }) => signed(pair, claims())))
  const [ofOne = '', ofTwo = ''] = assertions
  expect(await refused(one.clientId, ofTwo)).toEqual(INVALID)
  const minted = await Promise.all([mint(one.clientId, ofOne), mint(two.clientId, ofTwo)])
  expect(minted.map(({ token }) => token?.accessToken === undefined)).toEqual([false, false])
  expect(one.host.asked).toEqual(['/jwks'])
})
