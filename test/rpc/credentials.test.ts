import { describe, expect, it } from 'vitest'
import { parseAuthorization } from '../../src/rpc/credentials.ts'

const basic = (text: string | Buffer) => `Basic ${Buffer.from(text).toString('base64')}`

describe('the authorization metadata', () => {
  it.each([
    ['a pair', basic('id:secret'), 'id', 'secret'],
    ['a secret with colons', basic('id:a:b'), 'id', 'a:b'],
    ['RFC 6749 §2.3.1: a form-encoded pair', basic('my%3Aid:a+b%2B%C3%A9'), 'my:id', 'a b+é'],
    ['a scheme in any case', basic('id:secret').replace('Basic', 'bAsIc'), 'id', 'secret'],
  ])('contains a client: %s', (_what, value, clientId, secret) => {
    expect(parseAuthorization(value)).toEqual({ kind: 'client', clientId, proof: { kind: 'secret', secret } })
  })

  it('contains a public client without a secret', () => {
    expect(parseAuthorization(basic('id:'))).toEqual({ kind: 'client', clientId: 'id', proof: { kind: 'none' } })
  })

  it('contains a bearer token', () => {
    expect(parseAuthorization('bearer qat_abc')).toEqual({ kind: 'bearer', token: 'qat_abc' })
  })

  it.each([
    '',
    'Basic',
    'Basic !!!',
    basic('no colon'),
    basic(':secret'),
    basic('id:%zz'),
    basic(Buffer.from([0x69, 0x3a, 0xff])),
    'Bearer a b',
    'Bearer "quoted"',
    'Digest abc',
    `${basic('id:secret')}, Bearer abc`,
  ])('is malformed: %j', (value) => {
    expect(parseAuthorization(value)).toEqual({ kind: 'malformed' })
  })
})
