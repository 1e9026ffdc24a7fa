import { describe, expect, test } from 'vitest'
import { parseServerUrl } from '../../src/domain/server-url.ts'

describe('the URL of a database on servers', () => {
  test('lists its hosts in connection order', () => {
    expect(parseServerUrl('mysql://u:p@h1:3306,h2,[2001:db8::1]:3307,[::1]/db')).toMatchObject({
      scheme: 'mysql',
      user: 'u',
      password: 'p',
      hosts: [
        { host: 'h1', port: 3306 },
        { host: 'h2', port: null },
        { host: '2001:db8::1', port: 3307 },
        { host: '::1', port: null },
      ],
      database: 'db',
    })
  })

  test.each(['mysql', 'mariadb', 'postgres', 'postgresql'])('may start with %s://, in capitals too', (scheme) => {
    expect(parseServerUrl(`${scheme}://h/db`)).toMatchObject({ scheme, user: '', password: '' })
    expect(parseServerUrl(`${scheme.toUpperCase()}://h/db`)).toMatchObject({ scheme })
  })

  test('percent-encodes characters that would end a part', () => {
    expect(parseServerUrl('postgres://a%40b:%3A%2F%3F%23%25%2C:@h/d%20b')).toMatchObject({
      user: 'a@b',
      password: ':/?#%,:',
      database: 'd b',
    })
  })

  test('may have parameters', () => {
    const parameters = parseServerUrl('postgres://h/db?sslmode=require&x=%26')?.parameters
    expect([...(parameters ?? [])]).toEqual([
      ['sslmode', 'require'],
      ['x', '&'],
    ])
  })

  test.each([
    'oracle://u:p@h/db',
    'mysql:h/db',
    'mysql://u:p@h',
    'mysql://u:p@h/',
    'mysql://u:p@/db',
    'mysql://u:p@h/db/more',
    'mysql://u:p@h/db#part',
    'mysql://u:p@ss@h/db',
    'mysql://u:p/w@h/db',
    'mysql://u:p%zz@h/db',
    'mysql://h:0/db',
    'mysql://h:65536/db',
    'mysql://h:port/db',
    'mysql://h1,,h2/db',
    'mysql://h1,/db',
    'mysql://u:p@h1,u:p@h2/db',
    'mysql://::1/db',
    'mysql://[localhost]/db',
    'mysql://[::1/db',
    'mysql://h /db',
    '',
  ])('rejects %j', (url) => {
    expect(parseServerUrl(url)).toBeNull()
  })
})
