import { expect, it } from 'vitest'
import { GrantType } from '../../src/gen/qscope/v1/client_pb.ts'
import { onEveryBackend } from '../setup/backends.ts'
import { basic, formsOn, GRANT_TYPES, HTTP_PORT } from '../setup/forms.ts'
import { ACCESS_TOKEN_TYPE, grantsOn } from '../setup/grants.ts'
import type { TestServer } from '../setup/server.ts'

const BILLING = 'https://billing.example'
const LEDGER = 'https://ledger.example'

const suite = (server: TestServer) => {
  const grants = grantsOn(server)
  const forms = formsOn(server)
  async function exchanger() {
    const client = await server.registerClient({
      grantTypes: [GrantType.TOKEN_EXCHANGE, GrantType.CLIENT_CREDENTIALS],
      scopes: ['orders.read', 'orders.write'],
      audiences: [BILLING, LEDGER],
    })
    const { accessToken } = await grants.mint(client)
    const header = basic(client.clientId, client.clientSecret)
    const exchange = [
      ['grant_type', GRANT_TYPES.exchange],
      ['subject_token', accessToken],
      ['subject_token_type', ACCESS_TOKEN_TYPE],
    ] as const
    return { ...client, accessToken, header, exchange }
  }

  it('§2.1 accepts several targets, as audience and as resource', async () => {
    const { exchange, header } = await exchanger()
    const targets = [
      ['audience', BILLING],
      ['resource', LEDGER],
      ['resource', BILLING],
    ] as const
    const { status, body } = await forms.token([...exchange, ...targets, ['scope', 'orders.read']], header)
    expect([status, body['scope']]).toEqual([200, 'orders.read'])
    expect((await grants.claimsOf(String(body['access_token'])))?.audiences).toEqual([BILLING, LEDGER])
  })

  it('§2.1 answers invalid_request if the subject token or its type is missing', async () => {
    const { exchange, header } = await exchanger()
    for (const name of ['subject_token', 'subject_token_type']) {
      const { status, body } = await forms.token(
        exchange.filter(([each]) => each !== name),
        header,
      )
      expect([status, body['error']]).toEqual([400, 'invalid_request'])
    }
  })

  it('§2.2.1 the answer has the access token, its types, lifetime and scope', async () => {
    const { exchange, header } = await exchanger()
    const { body, headers } = await forms.token([...exchange, ['requested_token_type', ACCESS_TOKEN_TYPE]], header)
    expect(body).toEqual({
      access_token: expect.stringMatching(/^qat_/),
      issued_token_type: ACCESS_TOKEN_TYPE,
      token_type: 'Bearer',
      expires_in: expect.any(Number),
      scope: 'orders.read orders.write',
    })
    expect(headers.get('cache-control')).toBe('no-store')
  })

  it('§2.2.2 invalid_request for an unacceptable subject token, invalid_target for an unknown audience', async () => {
    const { exchange, header } = await exchanger()
    const bad = exchange.map(([name, value]) => [name, name === 'subject_token' ? 'qat_x' : value] as const)
    const subject = await forms.token(bad, header)
    expect([subject.status, subject.body['error']]).toEqual([400, 'invalid_request'])
    const target = await forms.token([...exchange, ['audience', 'https://else.example']], header)
    expect([target.status, target.body['error']]).toEqual([400, 'invalid_target'])
  })

  it('§2.1 accepts only this grant in JSON too, because gRPC for Go sends it so', async () => {
    const { exchange, header } = await exchanger()
    const json = { ...header, 'content-type': 'application/json' }
    const send = (fields: object, headers = json) => forms.token(JSON.stringify(fields), headers)
    const whole = Object.fromEntries(exchange)
    expect((await send({ ...whole, scope: 'orders.read', resource: [BILLING, LEDGER] })).status).toBe(200)
    const refused: readonly Promise<{ status: number; body: Readonly<Record<string, unknown>> }>[] = [
      send({ grant_type: GRANT_TYPES.clientCredentials }),
      send({ ...whole, scope: ['orders.read'] }),
      send({ ...whole, scope: { a: 1 } }),
      send({ ...whole, scope: 1 }),
      send([whole]),
      send(whole, { ...json, 'content-type': 'application/json; charset=utf-16' }),
      forms.token(`${JSON.stringify(whole).slice(0, -1)},"scope":"orders.read","scope":"orders.write"}`, json),
      forms.token('{', json),
      forms.introspect(JSON.stringify({ token: 'x' }), json),
    ]
    for (const { status, body } of await Promise.all(refused)) {
      expect([status, body['error']]).toEqual([400, 'invalid_request'])
    }
  })
}

onEveryBackend('RFC 8693 over HTTP', suite, { variables: HTTP_PORT })
