import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { parseAddress } from '../../src/config/address.ts'
import { type Config, describeConfig, parseConfig } from '../../src/config/config.ts'
import { readEnvironment } from '../../src/config/environment.ts'
import { ConfigError } from '../../src/config/problems.ts'
import { readTrustedIssuers } from '../../src/config/trusted-issuers.ts'

const folder = mkdtempSync(join(tmpdir(), 'qscope-urls-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

type Outcome = { readonly config: Config } | { readonly problems: readonly string[] }

function outcomeOf(variables: Readonly<Record<string, string>>): Outcome {
  try {
    return { config: parseConfig(readEnvironment({ QSCOPE_HTTP_LISTEN: '127.0.0.1:8080', ...variables })) }
  } catch (error) {
    if (error instanceof ConfigError) return { problems: error.problems }
    throw error
  }
}

function issuersWith(url: string): Outcome {
  const file = join(folder, 'issuers.json')
  const rules = [{ claims: { sub: 'a' }, client_id: 'orders', scopes: ['read'] }]
  writeFileSync(file, JSON.stringify({ issuers: [{ issuer: 'https://i.example', jwks_url: url, rules }] }))
  const { problems } = readTrustedIssuers(file, 'https://q.example')
  return problems.length === 0 ? outcomeOf({}) : { problems }
}

/** Where a URL may be written. */
const PLACES: Readonly<Record<string, (url: string) => Outcome>> = {
  QSCOPE_ISSUER: (url) => outcomeOf({ QSCOPE_ISSUER: url }),
  QSCOPE_HTTP_URL: (url) => outcomeOf({ QSCOPE_HTTP_URL: url }),
  QSCOPE_HTTP_ALLOWED_ORIGINS: (url) => outcomeOf({ QSCOPE_HTTP_ALLOWED_ORIGINS: url }),
  QSCOPE_DEVICE_VERIFICATION_URI: (url) => outcomeOf({ QSCOPE_DEVICE_VERIFICATION_URI: url }),
  QSCOPE_ERROR_DOCS_URL: (url) => outcomeOf({ QSCOPE_ERROR_DOCS_URL: url }),
  QSCOPE_OTLP_ENDPOINT: (url) => outcomeOf({ QSCOPE_OTLP_ENDPOINT: url }),
  'jwks_url of a trusted issuer': issuersWith,
}

/** Refused everywhere, and what is said of it. */
const REFUSED: readonly (readonly [string, RegExp])[] = [
  ['\thttps://h.example', /white space/],
  ['https://h.example\n', /white space/],
  ['https://h.example\r', /white space/],
  ['https://h.exa\tmple', /white space/],
  ['https://h.example/a b', /white space|has a path/],
  ['https://h.example\u00a0', /white space/],
  ['https://h.example\u0000', /control character/],
  ['https://h.example/\u007f', /control character/],
  ['https://h.example/\u200b', /not allowed in URLs/],
  ['https://h.example/%zz', /percent sign/],
  ['https://h.example/%', /percent sign/],
  ['https://h.example/%2', /percent sign/],
  ['https://user@h.example', /credentials/],
  ['https://user:pw@h.example', /credentials/],
  ['https://@h.example', /credentials/],
  ['https://:@h.example', /credentials/],
  ['https://h.example/#part', /fragment/],
  ['https://h.example#', /fragment/],
  ['https://H.example', /should be written "https:\/\/h\.example"/],
  ['HTTPS://h.example', /should be written "https:\/\/h\.example"/],
  ['https://h.example:443', /should be written "https:\/\/h\.example"/],
  ['https://h.example:0443', /should be written "https:\/\/h\.example"/],
  ['https://bücher.example', /should be written "https:\/\/xn--bcher-kva\.example"/],
  ['https://h.example/a/../b', /should be written "https:\/\/h\.example\/b"/],
  ['https://127.1', /should be written "https:\/\/127\.0\.0\.1"/],
  ['https://2130706433', /should be written "https:\/\/127\.0\.0\.1"/],
  ['https:\\\\h.example', /not allowed in URLs/],
  ['https:/h.example', /does not begin with/],
  ['https:///h.example', /should be written|is not a URL/],
  ['ftp://h.example', /does not begin with/],
  ['//h.example', /does not begin with/],
  ['h.example', /does not begin with/],
  ['https://', /is not a URL/],
  ['https://h.example:99999', /is not a URL/],
  ['https://[::1', /is not a URL/],
  [`https://h.example/${'a'.repeat(100_000)}`, /longer than/],
]

describe.each(Object.entries(PLACES))('%s', (place, outcome) => {
  it.each(REFUSED)('rejects %j with a reason', (url, why) => {
    const result = outcome(url)
    if (!('problems' in result)) throw new Error(`${place} accepts ${JSON.stringify(url)}`)
    expect(result.problems.join('\n')).toMatch(why)
    expect(result.problems.join('\n').length).toBeLessThan(1_000)
  })

  it.each(['https://h.example', 'https://h.example:8443', 'http://127.0.0.1:8080', 'http://[::1]:8080'])(
    'takes %s',
    (url) => {
      expect(outcome(url)).toHaveProperty('config')
    },
  )
})

describe('a URL', () => {
  it.each(['QSCOPE_ISSUER', 'QSCOPE_OTLP_ENDPOINT', 'QSCOPE_DEVICE_VERIFICATION_URI', 'QSCOPE_ERROR_DOCS_URL'])(
    'is kept in %s as written, including a trailing slash',
    (name) => {
      for (const url of [
        'https://h.example',
        'https://h.example/',
        'https://h.example/a',
        'https://h.example/a/',
        'https://h.example/%7Ea',
      ]) {
        const result = outcomeOf({ [name]: url })
        if (!('config' in result)) throw new Error(result.problems.join())
        expect(describeConfig(result.config).find((setting) => setting.name === name)?.value).toBe(url)
      }
    },
  )

  it('may have a query only for a page or a key set', () => {
    const url = 'https://h.example/?a=b'
    for (const [place, outcome] of Object.entries(PLACES)) {
      const allowed = /DEVICE|ERROR_DOCS|jwks/.test(place)
      expect([place, 'config' in outcome(url)]).toEqual([place, allowed])
    }
  })

  it('that is derived from the issuer has one slash in between', () => {
    for (const issuer of ['https://h.example/a', 'https://h.example/a/']) {
      expect(outcomeOf({ QSCOPE_ISSUER: issuer })).toMatchObject({
        config: {
          issuer,
          deviceVerificationUri: 'https://h.example/a/device',
        },
      })
    }
  })
})

describe('an address', () => {
  it.each([
    '127.0.0.1:050051',
    '127.0.0.1:65536',
    '127.0.0.1:-1',
    '127.0.0.1:',
    '127.0.0.1',
    ' 127.0.0.1:1',
    '127.0.0.1:1\n',
    '127.0.0.1 :1',
    '127.1:1',
    '127.0.0.01:1',
    '127.0.0.256:1',
    '2130706433:1',
    '0x7f.1:1',
    '[127.0.0.1]:1',
    '[abc]:1',
    '[::1]x:1',
    '::1:1',
    'h@h:1',
    'h\u0000:1',
    'bücher:1',
    ':1',
  ])('is not %j', (text) => {
    expect(parseAddress(text)).toBeNull()
  })

  it.each([
    '127.0.0.1:0',
    '127.0.0.1:65535',
    '[::1]:1',
    '[::ffff:127.0.0.1]:1',
    '[fe80::1%eth0]:1',
    'a_b.example:1',
    'localhost:1',
  ])('is %s', (text) => {
    expect(parseAddress(text)).not.toBeNull()
  })
})
