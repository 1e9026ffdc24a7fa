import { Agent, request } from 'node:http'
import { text } from 'node:stream/consumers'
import { describe, expect, it } from 'vitest'
import { basic, formsOn, GRANT_TYPES } from '../../setup/forms.ts'
import { grantsOn, REDIRECT_URI } from '../../setup/grants.ts'
import { startApplication } from './application.ts'

const server = await startApplication({ QSCOPE_AUTHENTICATION_FAILURES_PER_CLIENT: '5/m' })
const forms = formsOn(server)
const grants = grantsOn(server)
const mint = { grant_type: GRANT_TYPES.clientCredentials }

describe('operation of the form endpoints', () => {
  it('too many failed authentications of a client are answered with 429 and Retry-After', async () => {
    const { clientId, clientSecret } = await server.registerClient({})
    const statuses: number[] = []
    for (let round = 0; round < 6; round += 1) {
      statuses.push((await forms.token(mint, basic(clientId, `${clientSecret}x`))).status)
    }
    expect(statuses).toEqual([401, 401, 401, 401, 401, 429])
    const { body, headers } = await forms.token(mint, basic(clientId, 'another'))
    expect(body['error']).toBe('temporarily_unavailable')
    expect(Number(headers.get('retry-after'))).toBeGreaterThan(0)
    const events = await server.auditEvents({ clientId, eventTypes: ['client.authentication_failed'] })
    expect(events.length).toBeGreaterThan(0)
  })

  it('accepted and refused forms are counted in the metrics of calls', async () => {
    const client = await server.registerClient({})
    const proof = basic(client.clientId, client.clientSecret)
    const counted = async (reading: RegExp) =>
      Number(reading.exec(await (await fetch(`${server.httpUrl}/metrics`)).text())?.[1] ?? 0)
    const minted = /^qscope_calls_total\{[^}]*method="MintToken"[^}]*code="OK"[^}]*\} (\d+)$/m
    const refused = /^qscope_failures_total\{[^}]*reason="OAUTH_INVALID_REQUEST"[^}]*\} (\d+)$/m
    const before = [await counted(minted), await counted(refused)] as const
    await forms.token(mint, proof)
    await forms.introspect('token=a&token=b', proof)
    expect([await counted(minted), await counted(refused)]).toEqual([before[0] + 1, before[1] + 1])
  })

  it('a connection can be reused after a form that is too large or of another type', async () => {
    const { clientId, clientSecret } = await server.registerClient({})
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    const post = async (body: string, type = 'application/x-www-form-urlencoded') => {
      const { promise, resolve, reject } = Promise.withResolvers<{ status: number; port: number }>()
      const headers = { 'content-type': type, ...basic(clientId, clientSecret) }
      const sent = request(`${server.httpUrl}/oauth2/token`, { agent, method: 'POST', headers }, async (answer) => {
        const port = answer.socket.localPort ?? 0
        await text(answer)
        resolve({ status: answer.statusCode ?? 0, port })
      })
      sent.once('error', reject)
      sent.end(body)
      return await promise
    }
    const good = `grant_type=${GRANT_TYPES.clientCredentials}`
    const answers = [
      await post(good),
      await post(`${good}&x=`.padEnd(70_000, 'x')),
      await post(good),
      await post(good, 'text/plain'),
      await post(good),
    ]
    agent.destroy()
    expect(answers.map(({ status }) => status)).toEqual([200, 413, 200, 400, 200])
    expect(new Set(answers.map(({ port }) => port)).size).toBe(1)
  })
})

describe('parallel forms', () => {
  it('one of 30 redeems a code, and the others get invalid_grant', async () => {
    const client = await grants.webClient()
    const { code, verifier = '' } = await grants.createCode(client)
    const redeem = { grant_type: GRANT_TYPES.code, code, code_verifier: verifier, redirect_uri: REDIRECT_URI }
    const proof = basic(client.clientId, client.clientSecret)
    const answers = await Promise.all(Array.from({ length: 30 }, () => forms.token(redeem, proof)))
    const won = answers.filter(({ status }) => status === 200)
    expect(won).toHaveLength(1)
    for (const { status, body } of answers)
      if (status !== 200) expect([status, body['error']]).toEqual([400, 'invalid_grant'])
    // The others presented a redeemed code, so its tokens are revoked.
    expect(await grants.isActive(String(won[0]?.body['access_token']))).toBe(false)
  })

  it('a repeated refresh gets the same answer, over forms and gRPC', async () => {
    const client = await grants.webClient()
    const { refreshToken } = await grants.signIn(client)
    const fields = { grant_type: GRANT_TYPES.refresh, refresh_token: refreshToken }
    const proof = basic(client.clientId, client.clientSecret)
    const answers = await Promise.all(Array.from({ length: 10 }, () => forms.token(fields, proof)))
    expect(new Set(answers.map(({ status, body }) => `${status} ${body['refresh_token']}`)).size).toBe(1)
    expect(answers[0]?.status).toBe(200)
    const again = await grants.refresh(client, refreshToken)
    expect(again.refreshToken).toBe(answers[0]?.body['refresh_token'])
  })

  it('a caller that aborts its request does not affect the next one', async () => {
    const client = await server.registerClient({})
    const leaving = new AbortController()
    const asked = fetch(`${server.httpUrl}/oauth2/token`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded', ...basic(client.clientId, client.clientSecret) },
      body: new URLSearchParams(mint),
      signal: leaving.signal,
    })
    leaving.abort()
    await expect(asked).rejects.toThrow()
    expect((await forms.token(mint, basic(client.clientId, client.clientSecret))).status).toBe(200)
  })
})
