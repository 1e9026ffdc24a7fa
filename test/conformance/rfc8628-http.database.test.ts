import { expect, it } from 'vitest'
import { onEveryBackend } from '../setup/backends.ts'
import { formsOn, GRANT_TYPES, HTTP_PORT } from '../setup/forms.ts'
import { grantsOn, isSpan } from '../setup/grants.ts'
import type { TestServer } from '../setup/server.ts'

const suite = (server: TestServer) => {
  const grants = grantsOn(server)
  const forms = formsOn(server)
  async function started() {
    const { clientId } = await grants.deviceClient()
    const { body } = await forms.device({ client_id: clientId, scope: 'orders.read' })
    const poll = () =>
      forms.token({
        grant_type: GRANT_TYPES.device,
        device_code: String(body['device_code']),
        client_id: clientId,
      })
    return { clientId, body, poll, userCode: String(body['user_code']) }
  }

  it('§3.1 identifies a public client by its id, and checks the scope', async () => {
    const { clientId } = await grants.deviceClient()
    const { status, body } = await forms.device({ client_id: clientId, scope: 'beyond' })
    expect([status, body['error']]).toEqual([400, 'invalid_scope'])
    const nobody = await forms.device({})
    expect([nobody.status, nobody.body['error']]).toEqual([401, 'invalid_client'])
  })

  it('§3.2 answers with lifetimes in whole seconds, and must not be cached', async () => {
    const { clientId } = await grants.deviceClient()
    const { status, body, headers } = await forms.device({ client_id: clientId })
    expect([status, headers.get('cache-control')]).toEqual([200, 'no-store'])
    expect(body).toEqual({
      device_code: expect.stringMatching(/^qdc_/),
      user_code: expect.stringMatching(/^[B-Z]{4}-[B-Z]{4}$/),
      verification_uri: `${server.issuer}/device`,
      verification_uri_complete: `${server.issuer}/device?user_code=${body['user_code']}`,
      expires_in: expect.toSatisfy(isSpan(600)),
      interval: 5,
    })
  })

  it('§3.4 issues the tokens once, after the user has approved', async () => {
    const { body, poll, userCode } = await started()
    await grants.approveDevice({ userCode })
    const first = await poll()
    expect(first.body).toMatchObject({ token_type: 'Bearer', scope: 'orders.read', refresh_token: expect.any(String) })
    const again = await poll()
    expect([again.status, again.body['error']]).toEqual([400, 'invalid_grant'])
    expect(body['device_code']).toBeDefined()
  })

  it('§3.4 refuses another client’s code', async () => {
    const { body } = await started()
    const { clientId } = await grants.deviceClient()
    const stolen = { grant_type: GRANT_TYPES.device, device_code: String(body['device_code']), client_id: clientId }
    const { status, body: refused } = await forms.token(stolen)
    expect([status, refused['error']]).toEqual([400, 'invalid_grant'])
  })

  it('§3.5 answers authorization_pending, slow_down and access_denied', async () => {
    const { poll, userCode } = await started()
    const pending = await poll()
    expect([pending.status, pending.body['error']]).toEqual([400, 'authorization_pending'])
    const fast = await poll()
    expect([fast.status, fast.body['error']]).toEqual([400, 'slow_down'])
    await grants.denyDevice({ userCode })
    const denied = await poll()
    expect([denied.status, denied.body['error']]).toEqual([400, 'access_denied'])
  })

  it('§3.5 answers expired_token for an expired code', async () => {
    const { poll } = await started()
    server.clock.advance(601_000)
    const late = await poll()
    expect([late.status, late.body['error']]).toEqual([400, 'expired_token'])
  })
}

onEveryBackend('RFC 8628 over HTTP', suite, { variables: HTTP_PORT })
