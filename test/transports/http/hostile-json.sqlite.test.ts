import { describe, expect, it } from 'vitest'
import { post, startApplication } from './application.ts'

const server = await startApplication({ QSCOPE_AUTHENTICATION_FAILURES_PER_PEER: 'off' })
const { httpUrl: url } = server
const orders = await server.registerClient({ clientId: 'orders', scopes: ['a', 'b'] })
const asOrders = { authorization: `Basic ${btoa(`${orders.clientId}:${orders.clientSecret}`)}` }
const asAdmin = { authorization: `Bearer ${server.admin.token}` }
const MINT = 'TokenService/MintToken'
const MEGABYTE = 1024 * 1024 - 64

/** The field violations in the answer. */
function violationsOf(json: unknown): unknown {
  const details: readonly unknown[] =
    typeof json === 'object' && json !== null && 'details' in json && Array.isArray(json.details) ? json.details : []
  const found = details.map((detail) => Reflect.get(Object(Reflect.get(Object(detail), 'debug')), 'fieldViolations'))
  return found.find((each) => each !== undefined)
}

describe('a request in JSON', () => {
  it.each([
    ['one name twice', '{"scopes":["a"],"scopes":["b"]}', 'scopes'],
    ['both names of a field', '{"client":{"clientId":"orders","client_id":"orders"}}', 'client.client_id'],
    ['an escaped name', '{"scopes":["a"],"\\u0073copes":["b"]}', 'scopes'],
    ['null and a value', '{"scopes":null,"scopes":["b"]}', 'scopes'],
  ])('with a duplicate member is refused: %s (RFC 6749 §3.1)', async (_what, body, field) => {
    const { status, json } = await post(url, MINT, body, body.includes('client') ? {} : asOrders)
    expect(status).toBe(400)
    expect(violationsOf(json)).toMatchObject([{ field, description: 'is set more than once' }])
  })

  it('with a duplicate key of a map is refused', async () => {
    const body = '{"type":"CLIENT_TYPE_PUBLIC","config":{"metadata":{"team":"a","te\\u0061m":"b"}}}'
    const { status, json } = await post(url, 'ClientService/RegisterClient', body, asAdmin)
    expect(status).toBe(400)
    expect(violationsOf(json)).toMatchObject([
      { field: 'config.metadata', description: 'contains the same key more than once' },
    ])
  })

  it('parameters without a value are treated as omitted', async () => {
    const { status } = await post(url, MINT, { lifetime: '' }, asOrders)
    expect(status).toBe(200)
    const exchange = { subjectToken: 'x', subjectTokenType: '', actorToken: '' }
    const refused = await post(url, 'TokenService/ExchangeToken', exchange, asOrders)
    expect(violationsOf(refused.json)).toMatchObject([{ field: 'subject_token_type' }])
  })

  it.each([
    ['nested lists', '['.repeat(MEGABYTE)],
    ['nested objects', '{"client":'.repeat(MEGABYTE / 10)],
    ['lists within a field', `{"scopes":${'['.repeat(MEGABYTE - 20)}`],
    ['items', `{"scopes":[${'"",'.repeat(MEGABYTE / 3 - 10)}""]}`],
    ['members', `{${'"scopes":[],'.repeat(MEGABYTE / 12 - 10)}"scopes":[]}`],
    ['the digits of a number', `{"lifetime":"${'1'.repeat(MEGABYTE - 20)}s"}`],
  ])('of a megabyte of %s is refused before it is parsed, without authentication', async (_what, body) => {
    const durations: number[] = []
    for (let times = 0; times < 5; times += 1) {
      const { status, text, headers } = await post(url, MINT, body)
      expect(status).toBe(400)
      expect(text).toContain('"reason":"OAUTH_INVALID_REQUEST"')
      const rayId = headers.get('x-ray-id')
      const line = server.lines.find((each) => each['msg'] === 'call' && each['rayId'] === rayId)
      durations.push(Number(line?.['durationMs']))
    }
    // Ten times the expected duration, because the machine may be busy.
    expect(Math.min(...durations)).toBeLessThan(200)
  })

  it('of a megabyte of paths in a mask is refused before they are split, without authentication', async () => {
    const body = `{"updateMask":"${'a,'.repeat(MEGABYTE / 2 - 20)}a"}`
    const { status, json } = await post(url, 'ClientService/UpdateClient', body)
    expect(status).toBe(400)
    expect(violationsOf(json)).toMatchObject([
      { field: 'update_mask.paths', description: 'must have at most 10000 items' },
    ])
  })

  it('accepts names of Object.prototype as keys of a map, and refuses U+0000 in their values', async () => {
    const keys = ['$unknown', '$typeName', '__proto__', 'constructor', 'toString', 'hasOwnProperty', 'case', 'value']
    const wanted = (metadata: string) =>
      `{"clientId":"${server.unique('keys-')}","type":"CLIENT_TYPE_CONFIDENTIAL","config":{"metadata":${metadata}}}`
    for (const key of keys) {
      const refused = await post(url, 'ClientService/RegisterClient', wanted(`{"${key}":"a\\u0000b"}`), asAdmin)
      expect([key, refused.status, violationsOf(refused.json)]).toMatchObject([
        key,
        400,
        [{ field: 'config.metadata', description: 'contains the character U+0000' }],
      ])
    }
    const all = `{${keys.map((key) => `"${key}":"of ${key}"`).join(',')}}`
    const made = await post(url, 'ClientService/RegisterClient', wanted(all), asAdmin)
    expect(made.status).toBe(200)
    const clientId: unknown = Reflect.get(Object(Reflect.get(Object(made.json), 'client')), 'clientId')
    const { text } = await post(url, 'ClientService/GetClient', { clientId }, asAdmin)
    for (const key of keys) expect(text).toContain(`"${key}":"of ${key}"`)
  })
})
