import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { basic, formsOn, GRANT_TYPES } from '../../setup/forms.ts'
import { scaled } from '../../setup/scale.ts'
import { startApplication } from './application.ts'

const server = await startApplication({
  QSCOPE_AUTHENTICATION_FAILURES_PER_CLIENT: 'off',
  QSCOPE_AUTHENTICATION_FAILURES_PER_PEER: 'off',
})
const forms = formsOn(server)
const { clientId, clientSecret } = await server.registerClient({ scopes: ['orders.read'] })
const header = basic(clientId, clientSecret)
const MINT = `grant_type=${GRANT_TYPES.clientCredentials}`
const port = Number(new URL(server.httpUrl).port)

async function raw(request: string | Uint8Array): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => undefined)
  socket.write(request)
  return await text(socket).catch(() => '')
}

const head = (lines: readonly string[], target = '/oauth2/token') =>
  [`POST ${target} HTTP/1.1`, 'host: localhost', 'connection: close', ...lines, '', ''].join('\r\n')
const FORM = 'content-type: application/x-www-form-urlencoded'
const AUTHORIZATION = `authorization: ${header.authorization}`

describe('the content type of a form', () => {
  it.each([
    'application/x-www-form-urlencoded',
    'application/x-www-form-urlencoded;charset=UTF-8',
    'Application/X-WWW-Form-Urlencoded; Charset="utf-8"',
  ])('may be %s', async (type) => {
    expect((await forms.token(MINT, { ...header, 'content-type': type })).status).toBe(200)
  })

  it.each([
    'text/plain',
    'application/json',
    'multipart/form-data; boundary=x',
    'application/x-www-form-urlencoded; charset=utf-16',
    'application/x-www-form-urlencoded; charset=iso-8859-1',
    'application/x-www-form-urlencoded; charset=utf-8; charset=utf-16',
    'application/x-www-form-urlencoded; charset=utf-7',
    'application/x-www-form-urlencoded; boundary=x',
    'application/x-www-form-urlencoded, text/plain',
    'application/x-www-form-urlencodedx',
    'x/application/x-www-form-urlencoded',
  ])('must not be %s', async (type) => {
    const { status, body } = await forms.token(MINT, { ...header, 'content-type': type })
    expect([status, body['error']]).toEqual([400, 'invalid_request'])
  })

  it('is required, and refused if it occurs twice', async () => {
    const length = `content-length: ${MINT.length}`
    const twice = await raw(head([FORM, 'content-type: text/plain', AUTHORIZATION, length]) + MINT)
    expect(twice).toMatch(/^HTTP\/1\.1 400 [\s\S]*"invalid_request"/)
    const none = await raw(head([AUTHORIZATION, length]) + MINT)
    expect(none).toMatch(/^HTTP\/1\.1 400 [\s\S]*"invalid_request"/)
  })

  it.each(['gzip', 'br', 'identity, gzip', 'deflate'])('is refused with the content coding %s', async (coding) => {
    const { status, body } = await forms.token(MINT, { ...header, 'content-encoding': coding })
    expect([status, body['error']]).toEqual([400, 'invalid_request'])
  })
})

describe('the encoding of a form', () => {
  it.each([
    ['a percent sign alone', `${MINT}&scope=%`],
    ['no hexadecimal digits', `${MINT}&scope=%zz`],
    ['half a sequence', `${MINT}&scope=%c3`],
    ['an overlong sequence', `${MINT}&scope=%c0%af`],
    ['a surrogate', `${MINT}&scope=%ed%a0%80`],
    ['a broken name', `${MINT}&%ff=x`],
    ['the characters of UTF-16', `${MINT}&scope=%u0041`],
  ])('is refused with %s', async (_what, body) => {
    const answer = await forms.token(body, header)
    expect([answer.status, answer.body['error']]).toEqual([400, 'invalid_request'])
  })

  it('is refused with bytes that are not UTF-8', async () => {
    const bytes = Buffer.concat([Buffer.from(`${MINT}&scope=`), Buffer.from([0xff, 0xfe])])
    expect((await forms.token(new Uint8Array(bytes), header)).status).toBe(400)
  })

  it('_charset_ has no effect, and a semicolon is not a separator', async () => {
    const { status } = await forms.token(`_charset_=iso-8859-1&${MINT}`, header)
    expect(status).toBe(200)
    const joined = await forms.token(`${MINT};scope=orders.read`, header)
    expect([joined.status, joined.body['error']]).toEqual([400, 'unsupported_grant_type'])
  })

  it('percent-encoded names are the same parameter, and names in another case are not', async () => {
    const answer = await forms.token(`${MINT}&grant%5Ftype=password`, header)
    expect([answer.status, answer.body['error']]).toEqual([400, 'invalid_request'])
    expect((await forms.token(`%67rant_type=client_credentials`, header)).status).toBe(200)
    expect((await forms.token(`GRANT_TYPE=client_credentials`, header)).body['error']).toBe('invalid_request')
  })

  it('U+0000 is refused', async () => {
    for (const [name, error] of [
      ['scope', 'invalid_request'],
      ['audience', 'invalid_request'],
    ]) {
      const { status, body } = await forms.token(`${MINT}&${name}=a%00b`, header)
      expect([status, body['error']]).toEqual([400, error])
    }
    const nul = await forms.token(`${MINT}&client_id=a%00b&client_secret=x`)
    expect(nul.status).toBe(400)
  })
})

describe('the size of a form', () => {
  it('is 64 KiB at most', async () => {
    const exactly = `${MINT}&x=`.padEnd(65_536, 'x')
    expect((await forms.token(exactly, header)).status).toBe(200)
    const { status, body } = await forms.token(`${exactly}x`, header)
    expect([status, body['error']]).toEqual([413, 'invalid_request'])
  })

  it('is limited for chunked bodies too', async () => {
    const chunk = `2000\r\n${'x'.repeat(0x2000)}\r\n`
    const answer = await raw(head([FORM, 'transfer-encoding: chunked']) + chunk.repeat(16))
    expect(answer).toMatch(/^HTTP\/1\.1 413 /)
  })

  it('is limited to 200 parameters, and lists to the limits of the API', async () => {
    const many = Array.from({ length: 200 }, (_, index) => `x${index}=`).join('&')
    expect((await forms.token(`${MINT}&${many}`, header)).body['error']).toBe('invalid_request')
    const audiences = Array.from({ length: 51 }, (_, index) => `audience=a${index}`).join('&')
    const { status, body } = await forms.token(`${MINT}&${audiences}`, header)
    expect([status, body['error']]).toEqual([400, 'invalid_request'])
  })
})

describe('requests that proxies and servers could interpret differently', () => {
  it.each([
    ['two lengths', ['content-length: 5', 'content-length: 29']],
    ['a length and chunks', ['content-length: 5', 'transfer-encoding: chunked']],
    ['an unknown transfer coding', ['transfer-encoding: xchunked']],
    ['chunks that are not the last coding', ['transfer-encoding: chunked, identity']],
  ])('are refused: %s', async (_what, lines) => {
    expect(await raw(`${head([FORM, ...lines])}0\r\n\r\n${MINT}`)).toMatch(/^HTTP\/1\.1 (400|501) /)
  })

  it('a second request in the body of the first is not processed', async () => {
    const inner = `POST /oauth2/token HTTP/1.1\r\nhost: localhost\r\n${AUTHORIZATION}\r\n\r\n`
    const answer = await raw(head([FORM, `content-length: ${inner.length}`]) + inner)
    expect(answer.match(/HTTP\/1\.1 /g)).toHaveLength(1)
    expect(answer).toMatch(/^HTTP\/1\.1 400 /)
  })

  it.each([
    '/oauth2/token/',
    '//oauth2/token',
    '/oauth2/%74oken',
    '/OAUTH2/token',
    '/x/../oauth2/token',
    '/oauth2/token;x',
  ])('another spelling of the path is 404: %s', async (target) => {
    const answer = await raw(head([FORM, AUTHORIZATION, `content-length: ${MINT.length}`], target) + MINT)
    expect(answer).toMatch(/^HTTP\/1\.1 404 /)
  })

  it('x-http-method-override is ignored', async () => {
    const response = await fetch(`${server.httpUrl}/oauth2/token`, { headers: { 'x-http-method-override': 'POST' } })
    expect(response.status).toBe(405)
  })

  it('parameters in the URL are refused, even with a valid form', async () => {
    for (const query of ['scope=orders.read', 'x', 'client_secret=x']) {
      const { status, body } = await forms.post(`/oauth2/token?${query}`, MINT, header)
      expect([status, body['error']]).toEqual([400, 'invalid_request'])
    }
    expect((await forms.post('/oauth2/token?', MINT, header)).status).toBe(200)
  })

  it('two authorization headers are refused', async () => {
    const length = `content-length: ${MINT.length}`
    const answer = await raw(head([FORM, AUTHORIZATION, 'authorization: Bearer x', length]) + MINT)
    expect(answer).toMatch(/^HTTP\/1\.1 400 [\s\S]*"invalid_request"/)
  })
})

describe('caches and web pages', () => {
  it('no answer may be cached', async () => {
    const answers = await Promise.all([
      forms.token(MINT, header),
      forms.token(MINT),
      forms.token('', header),
      forms.token('x'.repeat(70_000), header),
      forms.introspect('token=x', header),
      forms.revoke('token=x', header),
      forms.device('', header),
      forms.post('/oauth2/token?a=b', MINT, header),
    ])
    for (const { headers } of answers) {
      expect([headers.get('cache-control'), headers.get('pragma')]).toEqual(['no-store', 'no-cache'])
      expect(headers.get('x-content-type-options')).toBe('nosniff')
      expect(headers.get('etag')).toBeNull()
    }
  })

  it('no page may read an answer if no origin is allowed', async () => {
    const { headers } = await forms.token(MINT, { ...header, origin: 'https://evil.example' })
    expect(headers.get('access-control-allow-origin')).toBeNull()
    const preflight = await fetch(`${server.httpUrl}/oauth2/token`, {
      method: 'OPTIONS',
      headers: { origin: 'https://evil.example', 'access-control-request-method': 'POST' },
    })
    expect([preflight.status, preflight.headers.get('access-control-allow-origin')]).toEqual([405, null])
  })

  it('a page of an allowed origin may send forms, and a page of another may not', async () => {
    const open = await startApplication({ QSCOPE_HTTP_ALLOWED_ORIGINS: 'https://app.example' })
    const from = (origin: string) =>
      fetch(`${open.httpUrl}/oauth2/token`, {
        method: 'OPTIONS',
        headers: {
          origin,
          'access-control-request-method': 'POST',
          'access-control-request-headers': 'content-type,authorization',
        },
      })
    const allowed = await from('https://app.example')
    expect([allowed.status, allowed.headers.get('access-control-allow-origin')]).toEqual([204, 'https://app.example'])
    expect(allowed.headers.get('access-control-allow-credentials')).toBeNull()
    expect((await from('https://evil.example')).headers.get('access-control-allow-origin')).not.toBe(
      'https://evil.example',
    )
    const { headers } = await formsOn(open).token(MINT, { origin: 'https://app.example' })
    expect(headers.get('access-control-allow-origin')).toBe('https://app.example')
  })
})

describe('any form', () => {
  it('is answered with 200 or an OAuth error, and never with 5xx', async () => {
    const part = fc.oneof(
      fc.constantFrom('grant_type', 'client_id', 'client_secret', 'client_assertion', 'code', 'scope', 'audience'),
      fc.constantFrom(...Object.values(GRANT_TYPES)),
      fc.constantFrom('=', '&', '%', '+', '%00', '%ff', '\u0000', ';', '[]', '?', '#'),
      fc.string({ unit: 'binary', maxLength: 12 }),
    )
    const body = fc.array(part, { maxLength: 24 }).map((parts) => parts.join(''))
    const path = fc.constantFrom('token', 'introspect', 'revoke', 'device_authorization')
    await fc.assert(
      fc.asyncProperty(path, body, async (where, content) => {
        const answer = await forms.post(`/oauth2/${where}`, new Uint8Array(Buffer.from(content)), header)
        expect(answer.status === 200 || (answer.status >= 400 && answer.status < 500)).toBe(true)
        if (answer.status !== 200) expect(answer.body['error']).toMatch(/^[a-z_]+$/)
      }),
      { numRuns: scaled(5_000, 300) },
    )
  }, 120_000)
})
