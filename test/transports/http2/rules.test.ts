import { describe, expect, it } from 'vitest'
import { FieldList } from '../../../src/transports/http2/header-list.ts'
import { HeaderField } from '../../../src/transports/http2/hpack/header-field.ts'
import { type Fields, request } from './wire.ts'

function listOf(fields: Fields, trailers = false, maxBytes = 10_000): FieldList {
  const list = new FieldList(trailers, maxBytes)
  for (const [name, value] of fields) list.field(new HeaderField(name, value))
  return list
}

const accepts = (...more: Fields) => listOf(request('/', more)).isWellFormed()
const METHOD = [':method', 'POST'] as const
const SCHEME = [':scheme', 'http'] as const
const PATH = [':path', '/'] as const

describe('RFC 9113 §8.2.1: names and values', () => {
  it.each([
    ['upper case', ['Abc', 'x']],
    ['no name', ['', 'x']],
    ['a space in a name', ['a b', 'x']],
    ['a colon in a name', ['a:b', 'x']],
    ['a name beyond ASCII', ['caf\u00e9', 'x']],
    ['a control in a name', ['a\u0000', 'x']],
    ['NUL in a value', ['a', 'x\u0000y']],
    ['CR in a value', ['a', 'x\ry']],
    ['LF in a value', ['a', 'x\ny']],
    ['another control in a value', ['a', 'x\u0001y']],
    ['a space before a value', ['a', ' x']],
    ['a tab after a value', ['a', 'x\t']],
  ] as const)('refuses %s', (_what, field) => {
    expect(accepts(field)).toBe(false)
  })

  it.each([
    ['an empty value', ['a', '']],
    ['one character', ['a', 'x']],
    ['spaces and tabs within', ['a', 'x \t y']],
    ['text beyond ASCII', ['a', 'caf\u00e9']],
    ['every character of a token', ["!#$%&'*+-.^_`|~09az", 'x']],
  ] as const)('accepts %s', (_what, field) => {
    expect(accepts(field)).toBe(true)
  })
})

describe('RFC 9113 §8.2.2: connection-specific fields', () => {
  it.each(['connection', 'proxy-connection', 'keep-alive', 'transfer-encoding', 'upgrade'])('refuses %s', (name) => {
    expect(accepts([name, 'x'])).toBe(false)
    expect(listOf([[name, 'x']], true).isWellFormed()).toBe(false)
  })

  it('accepts te only with the value trailers', () => {
    expect(accepts(['te', 'trailers'])).toBe(true)
    expect(accepts(['te', 'trailers, deflate'])).toBe(false)
    expect(accepts(['te', ''])).toBe(false)
  })
})

describe('RFC 9113 §8.3: pseudo-header fields', () => {
  it.each([
    ['without :method', [SCHEME, PATH]],
    ['without :scheme', [METHOD, PATH]],
    ['without :path', [METHOD, SCHEME]],
    ['with two of :method', [METHOD, METHOD, SCHEME, PATH]],
    ['with two of :scheme', [METHOD, SCHEME, SCHEME, PATH]],
    ['with two of :path', [METHOD, SCHEME, PATH, PATH]],
    ['with two of :authority', [METHOD, SCHEME, PATH, [':authority', 'a'], [':authority', 'a']]],
    ['with one after another field', [METHOD, SCHEME, ['a', 'b'], PATH]],
    ['with one of responses', [METHOD, SCHEME, PATH, [':status', '200']]],
    ['with an unknown one', [METHOD, SCHEME, PATH, [':unknown', 'x']]],
    ['with :protocol, which is not supported', [METHOD, SCHEME, PATH, [':protocol', 'websocket']]],
    ['with an empty path', [METHOD, SCHEME, [':path', '']]],
    ['with a path that does not begin with a slash', [METHOD, SCHEME, [':path', 'a/b']]],
    ['with a space in the path', [METHOD, SCHEME, [':path', '/a b']]],
    ['with an asterisk and another method than OPTIONS', [METHOD, SCHEME, [':path', '*']]],
    ['with a method that is no token', [[':method', 'PO ST'], SCHEME, PATH]],
    ['with user information', [METHOD, SCHEME, PATH, [':authority', 'user@host']]],
    ['with CONNECT and a path', [[':method', 'CONNECT'], PATH, [':authority', 'a:1']]],
    ['with CONNECT and no authority', [[':method', 'CONNECT']]],
  ] as readonly (readonly [string, Fields])[])('refuses a request %s', (_what, fields) => {
    expect(listOf(fields).isWellFormed()).toBe(false)
  })

  it('accepts an asterisk with OPTIONS, and CONNECT to a host', () => {
    expect(listOf([[':method', 'OPTIONS'], SCHEME, [':path', '*']]).isWellFormed()).toBe(true)
    expect(
      listOf([
        [':method', 'CONNECT'],
        [':authority', 'a:1'],
      ]).isWellFormed(),
    ).toBe(true)
  })

  it('are refused in trailers', () => {
    expect(listOf([['a', 'b']], true).isWellFormed()).toBe(true)
    expect(listOf([[':path', '/']], true).isWellFormed()).toBe(false)
  })

  it('accepts host instead of :authority, or once with the same value', () => {
    const hosted = listOf([METHOD, SCHEME, PATH, ['host', 'a']])
    expect([hosted.isWellFormed(), hosted.authority]).toEqual([true, 'a'])
    expect(accepts(['host', 'localhost'])).toBe(true)
    expect(accepts(['host', 'other'])).toBe(false)
    expect(accepts(['host', 'localhost'], ['host', 'localhost'])).toBe(false)
    expect(accepts(['host', 'localhost'], ['host', 'other'], ['host', 'localhost'])).toBe(false)
  })
})

describe('RFC 9113 §8.1.1: content-length', () => {
  it.each(['', '-1', '1a', '0x10', '1, 1', '9999999999999999'])('refuses %j', (value) => {
    expect(accepts(['content-length', value])).toBe(false)
  })

  it('accepts a number, and a repetition only with the same value', () => {
    expect(listOf(request('/', [['content-length', '012']])).contentLength).toBe(12)
    expect(accepts(['content-length', '1'], ['content-length', '1'])).toBe(true)
    expect(accepts(['content-length', '1'], ['content-length', '2'])).toBe(false)
    expect(accepts(['content-length', '1'], ['content-length', '2'], ['content-length', '2'])).toBe(false)
  })
})

describe('a list of fields', () => {
  it('keeps the order of fields and the separate values of one name', () => {
    const list = listOf(
      request('/p', [
        ['b', '1'],
        ['a', '2'],
        ['b', '3'],
      ]),
    )
    expect(list.isWellFormed()).toBe(true)
    expect([...list.entries()]).toEqual([
      ['b', '1'],
      ['a', '2'],
      ['b', '3'],
    ])
    expect([list.get('b'), list.getAll('b'), list.get('c'), list.getAll('c')]).toEqual(['1', ['1', '3'], undefined, []])
    expect([list.method, list.scheme, list.path, list.authority]).toEqual(['POST', 'http', '/p', 'localhost'])
  })

  it('has no fields with names of Object.prototype unless they were sent', () => {
    const list = listOf(request('/', [['a', 'b']]))
    for (const name of ['__proto__', 'constructor', 'toString', 'hasOwnProperty'])
      expect(list.get(name)).toBeUndefined()
    expect(listOf(request('/', [['__proto__', 'x']])).get('__proto__')).toBe('x')
  })

  it('counts bytes as RFC 9113 §6.5.2 defines, and keeps no fields beyond its limit', () => {
    const small = listOf([
      ['abc', 'de'],
      ['f', ''],
    ])
    expect([small.bytes, small.tooLong]).toEqual([3 + 2 + 32 + 1 + 32, false])
    const long = listOf(
      Array.from({ length: 100 }, (_, at) => [`n${at}`, 'v'.repeat(100)] as const),
      true,
      1_000,
    )
    expect(long.tooLong).toBe(true)
    expect([...long.entries()].length).toBeLessThan(8)
  })

  it('is refused if one field is, whatever follows', () => {
    expect(accepts(['A', 'x'], ['b', 'y'])).toBe(false)
  })
})
