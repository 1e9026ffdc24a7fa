import { expect, it } from 'vitest'
import { onEveryBackend } from '../setup/backends.ts'
import { basic, formsOn, GRANT_TYPES, HTTP_PORT } from '../setup/forms.ts'
import { grantsOn, REDIRECT_URI } from '../setup/grants.ts'
import type { TestServer } from '../setup/server.ts'

const ORDERS = 'https://orders.example/api'
const STOCK = 'https://stock.example'

const suite = (server: TestServer) => {
  const grants = grantsOn(server)
  const forms = formsOn(server)
  async function client(audiences: string[] = [ORDERS, STOCK]) {
    const { clientId, clientSecret } = await server.registerClient({ scopes: ['orders.read'], audiences })
    return basic(clientId, clientSecret)
  }
  const mint = ['grant_type', GRANT_TYPES.clientCredentials] as const

  it('§2 restricts the token to the resources that were named', async () => {
    const both = await forms.token([mint, ['resource', ORDERS], ['resource', STOCK]], await client())
    expect((await grants.claimsOf(String(both.body['access_token'])))?.audiences).toEqual([ORDERS, STOCK])
    const one = await forms.token([mint, ['resource', STOCK]], await client())
    expect((await grants.claimsOf(String(one.body['access_token'])))?.audiences).toEqual([STOCK])
  })

  it('§2 takes absolute URIs without a fragment, registered or not', async () => {
    const header = await client(['orders', ORDERS])
    for (const resource of ['orders', `${ORDERS}#part`, '/api', '//orders.example', 'https://']) {
      const { status, body } = await forms.token([mint, ['resource', resource]], header)
      expect([status, body['error']]).toEqual([400, 'invalid_target'])
    }
    expect((await forms.token([mint, ['audience', 'orders']], header)).status).toBe(200)
  })

  it('§2 invalid_target for a resource that is unknown', async () => {
    const { status, body } = await forms.token([mint, ['resource', 'https://else.example']], await client())
    expect([status, body['error']]).toEqual([400, 'invalid_target'])
    expect(body['error_description']).toContain('https://else.example')
  })

  it('§2.2 gives no wider token than was asked where the targets were consented to', async () => {
    const web = await grants.webClient({ audiences: [ORDERS] })
    const { code, verifier = '' } = await grants.createCode(web, { audiences: [ORDERS] })
    const redeem = { grant_type: GRANT_TYPES.code, code, code_verifier: verifier, redirect_uri: REDIRECT_URI }
    const header = basic(web.clientId, web.clientSecret)
    const { status, body } = await forms.token({ ...redeem, resource: STOCK }, header)
    expect([status, body['error']]).toEqual([400, 'invalid_target'])
    expect((await forms.token(redeem, header)).status).toBe(200)
  })
}

onEveryBackend('RFC 8707', suite, { variables: HTTP_PORT })
