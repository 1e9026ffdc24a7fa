import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { redirectUriMatches, redirectUriProblem } from '../../src/domain/redirect-uri.ts'

const good = [
  'https://app.example.com/callback',
  'https://app.example.com/callback?tenant=1',
  'https://app.example.com:8443/',
  'http://127.0.0.1/callback',
  'http://127.0.0.1:49152/callback',
  'http://[::1]:8080/callback',
  'http://localhost:3000/callback',
  'com.example.app:/oauth2redirect',
  'http://127.0.0.1',
  'http://[::1]?x=1',
  'http://localhost/',
  'https://App.Example.com/callback',
  'https://app.example.com./callback',
  'https://192.0.2.1/callback',
  'https://[2001:db8::1]:8443/callback',
  'https://xn--pp-lia.example.com/',
  'https://app.example.com/.well-known/...?next=/../a%2Fb',
  'http://127.0.0.1:0/callback',
]

const bad = [
  '',
  '/callback',
  'callback',
  'https://app.example.com/callback#fragment',
  'https://app.example.com/#',
  'http://app.example.com/callback',
  'http://127.0.0.2/callback',
  'http://localhost.example.com/callback',
  'https://user:password@app.example.com/',
  'https:///callback',
  'https:app.example.com',
  'myapp:/callback',
  'javascript:alert(1)',
  'data:text/html,x',
  'file:///etc/passwd',
  'https://app.example.com/call back',
  'https://app.example.com/\ncallback',
  'https://äpp.example.com/',
  ' https://app.example.com/',
  'https://app.example.com\\@evil.example/',
  'https://app.example.com:0443/callback',
  'https://app.example.com:00443/callback',
  'http://127.0.0.1:08080/callback',
  'http://[::1]:00080/callback',
  'https://app.example.com/%zz',
  'https://app.example.com/callback?a=%2',
  'https://app.example.com/callback%',
  'com.example.app:/%zz',
  'https://app.example.com/../callback',
  'https://app.example.com/a/./callback',
  'https://app.example.com/a/..',
  'https://app.example.com/a/..?x=y',
  'https://app.example.com/%2e%2E/callback',
  'https://app.example.com/.%2e/callback',
  'http://127.0.0.1:8080/a/../callback',
  'com.example.app:/a/../callback',
  ...[
    '127.1',
    '127.0.1',
    '2130706433',
    '0x7f.1',
    '0x7f000001',
    '0x7f.0.0.1',
    '0177.0.0.1',
    '127.0.0.01',
    '127.0.0.1.',
    '127.0.0.1:',
    '127.0.0.1:x',
    '127.0.0.1:99999',
    '%3127.0.0.1',
    '127%2e0.0.1',
    '127。0。0。1',
    '１２７.0.0.1',
    '[0:0:0:0:0:0:0:1]',
    '[0000::0001]',
    '[::0:1]',
    '[::ffff:127.0.0.1]',
    '[::1',
    '::1',
    'LOCALHOST',
    'Localhost',
    'localhost.',
    'loc%61lhost',
    'ｌocalhost',
    'sub.localhost',
    'evil@127.0.0.1',
    '127.0.0.1@evil.example',
    '127.0.0.1:80@evil.example',
    '127.0.0.1\\@evil.example',
    '127.0.0.1\t',
    '127.0.0\n.1',
    '0',
    '0.0.0.0',
    '[::]',
    '',
    '/127.0.0.1',
  ].map((host) => `http://${host}/cb`),
  'http:127.0.0.1/cb',
  'http:/127.0.0.1/cb',
  'http:\\\\127.0.0.1/cb',
  'https:evil',
  'https:/evil.example/cb',
  'https:///x',
  'https://127.1/cb',
  'https://0x7f.1/cb',
  'https://[0:0:0:0:0:0:0:1]/cb',
  'https://app%2eexample.com/cb',
  'https://%61pp.example.com/cb',
  'https://app.example.com:/cb',
  'https://@app.example.com/cb',
]

describe('redirect URIs', () => {
  it.each(good)('accept %j', (uri) => expect(redirectUriProblem(uri)).toBeNull())
  it.each(bad)('refuse %j', (uri) => expect(redirectUriProblem(uri)).not.toBeNull())

  it('never throw on any input', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => void redirectUriProblem(text)))
  })

  it('match as exact strings (RFC 9700 §2.1)', () => {
    fc.assert(
      fc.property(fc.webUrl(), fc.webUrl(), (a, b) => {
        expect(redirectUriMatches(a, b)).toBe(a === b)
      }),
    )
    expect(redirectUriMatches('https://a.example/cb', 'https://a.example/cb/')).toBe(false)
    expect(redirectUriMatches('https://a.example/cb', 'https://A.example/cb')).toBe(false)
    expect(redirectUriMatches('https://a.example/cb', 'https://a.example:443/cb')).toBe(false)
    expect(redirectUriMatches('http://127.0.0.1/cb', 'http://127.0.0.1:08080/cb')).toBe(false)
  })

  it('match loopback addresses on any port (RFC 8252 §7.3), and localhost only on its own', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 65_535 }), (port) => {
        expect(redirectUriMatches('http://127.0.0.1/cb', `http://127.0.0.1:${port}/cb`)).toBe(true)
        expect(redirectUriMatches('http://[::1]:1/cb', `http://[::1]:${port}/cb`)).toBe(true)
        expect(redirectUriMatches('http://localhost:1/cb', `http://localhost:${port}/cb`)).toBe(port === 1)
        expect(redirectUriMatches('http://127.0.0.1/cb', `http://127.0.0.1:${port}/other`)).toBe(false)
      }),
    )
    expect(redirectUriMatches('http://127.0.0.1/cb', 'http://127.0.0.1:65536/cb')).toBe(false)
    expect(redirectUriMatches('http://127.0.0.1/cb', 'http://127.0.0.1:80@evil.example/cb')).toBe(false)
    expect(redirectUriMatches('http://127.0.0.1/cb', 'http://127.0.0.1.evil.example/cb')).toBe(false)
  })
})
