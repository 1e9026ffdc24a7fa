import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ClientKeyLimits, clientKeyFindings } from '../../src/app/doctor/examine-clients.ts'
import { parseConfig } from '../../src/config/config.ts'
import { readEnvironment } from '../../src/config/environment.ts'
import { AuthenticationMethod } from '../../src/gen/qscope/v1/client_pb.ts'
import { ClientService } from '../../src/gen/qscope/v1/client_service_pb.ts'
import { jwksOf, signingPair } from '../setup/assertions.ts'
import { LOCAL_HOSTS, localHosts, urlOf } from '../setup/foreign-issuer.ts'
import { sqliteFiles } from '../setup/fresh-database.ts'
import type { HttpsHost } from '../setup/https-host.ts'
import { startServer, type TestServer } from '../setup/server.ts'
import { quiet } from '../stores/given.ts'

const hosts = localHosts()
const database = await sqliteFiles.create()
let server: TestServer
let host: HttpsHost

// RFC 7591 has no authorities for a `jwks_uri`: its host is authenticated by those of the machine.
const authorities = getCACertificates('default')
beforeAll(async () => {
  setDefaultCACertificates([...authorities, hosts.caCertificates])
  server = await startServer(database.url)
  host = await hosts.open()
  host.answers.set('/one', jwksOf(signingPair('ES256')))
  host.answers.set('/two', jwksOf(signingPair('ES256'), signingPair('RS256')))
  host.answers.set('/empty', '{"keys":[]}')
  host.answers.set('/moved', (response) => response.writeHead(302, { location: '/one' }).end())
  host.answers.set('/silent', () => undefined)
})
afterAll(async () => {
  setDefaultCACertificates(authorities)
  await server.stop()
  await database.drop()
})

async function publishes(clientId: string, jwksUri: string): Promise<string> {
  const authenticationMethod = AuthenticationMethod.PRIVATE_KEY_JWT
  await server.registerClient({ clientId, authenticationMethod, jwksUri })
  return clientId
}

async function found(variables: Readonly<Record<string, string>>, limits?: ClientKeyLimits) {
  const config = parseConfig(readEnvironment({ QSCOPE_DATABASE_URL: database.url, ...variables }))
  return await clientKeyFindings(server.app.backend, config, quiet, limits)
}

describe('the keys of clients that publish them', () => {
  it('are none without such clients', async () => {
    await server.registerClient({ clientId: 'a-secret' })
    await server.registerClient({
      clientId: 'an-inline',
      authenticationMethod: AuthenticationMethod.PRIVATE_KEY_JWT,
      jwks: jwksOf(signingPair('ES256')),
    })
    expect(await found(LOCAL_HOSTS)).toEqual([])
  })

  it('are a finding for each enabled client, usable or not, with what to do', async () => {
    const off = await publishes('b-disabled', `${urlOf(host)}/missing`)
    await server.call(ClientService.method.disableClient, { clientId: off }, { bearer: server.admin.token })
    for (const path of ['empty', 'missing', 'moved', 'one', 'two'])
      await publishes(`c-${path}`, `${urlOf(host)}/${path}`)
    await publishes('d-private', `https://127.0.0.1:${host.port}/one`)
    const findings = await found(LOCAL_HOSTS)
    const cannot = (name: string, problem: string) => [
      'warning',
      expect.stringMatching(`^the jwks_uri of client ${name} cannot be used: .*${problem}`),
    ]
    expect(findings.map(({ state, finding }) => [state, finding])).toEqual([
      cannot('c-empty', 'has no usable key'),
      cannot('c-missing', 'answers 404'),
      cannot('c-moved', 'answers 302'),
      ['ok', 'the jwks_uri of client c-one has 1 usable key'],
      ['ok', 'the jwks_uri of client c-two has 2 usable keys'],
      cannot('d-private', 'QSCOPE_TRUST_PRIVATE_HOSTS'),
    ])
    for (const { state, advice } of findings)
      if (state === 'ok') expect(advice).toBeNull()
      else expect(advice).toMatch(/UpdateClient with another jwks_uri or with jwks; .* OAUTH_TEMPORARILY_UNAVAILABLE$/)
  })

  it('are read by the rules for addresses of a server: no connection is made to a private one', async () => {
    const before = host.connections
    const findings = await found({})
    expect(findings).toHaveLength(6)
    for (const { finding } of findings) expect(finding).toContain('has no address that may be connected to')
    expect(host.connections).toBe(before)
  })

  it('are left out beyond the number of clients and the time, which is told', async () => {
    const few = await found(LOCAL_HOSTS, { clients: 3, together: 2, patienceMs: 30_000 })
    expect(few.map(({ state }) => state)).toEqual(['warning', 'warning', 'warning', 'warning'])
    expect(few.at(-1)).toMatchObject({
      finding:
        'the clients after c-moved were skipped: this examination reads the keys of at most 3 clients, within 30 s',
      advice: expect.stringContaining('qscope_key_set_reads_total'),
    })
    const none = await found(LOCAL_HOSTS, { clients: 3, together: 2, patienceMs: -1 })
    expect(none.map(({ finding }) => finding)).toEqual([expect.stringMatching(/^all clients were skipped: /)])
    const all = await found(LOCAL_HOSTS, { clients: 6, together: 4, patienceMs: 30_000 })
    expect(all.map(({ finding }) => finding).join()).not.toContain('left out')
  })

  it('of hosts that do not answer cost the time limit of one read, however many there are', async () => {
    for (let index = 0; index < 4; index += 1) await publishes(`e-silent-${index}`, `${urlOf(host)}/silent`)
    const startedAt = performance.now()
    const findings = await found(LOCAL_HOSTS, { clients: 100, together: 10, patienceMs: 30_000 })
    expect(performance.now() - startedAt).toBeLessThan(9_000)
    const silent = findings.filter(({ finding }) => finding.includes('e-silent-'))
    expect(silent.map(({ finding }) => finding)).toEqual(
      Array.from({ length: 4 }, () => expect.stringContaining('does not answer in time')),
    )
  })
})
