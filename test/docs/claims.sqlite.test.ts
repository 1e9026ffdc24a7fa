import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { ASSERTION_ALGORITHMS } from '../../src/crypto/key-set.ts'
import { PERMISSIONS } from '../../src/domain/scopes.ts'
import { KeyService, SigningAlgorithm } from '../../src/gen/qscope/v1/key_service_pb.ts'
import { DEFAULT_HTTP_LIMITS } from '../../src/transports/http/server.ts'
import { REQUIREMENTS } from '../conformance/requirements.ts'
import { sqliteFiles } from '../setup/fresh-database.ts'
import { startServer } from '../setup/server.ts'

/** What the pages say of endpoints, metadata and algorithms is held against what a running server answers. */
const database = await sqliteFiles.createMigrated()
const variables = { QSCOPE_HTTP_LISTEN: '127.0.0.1:0', QSCOPE_CONSOLE: 'on' }
const server = await startServer(database.url, undefined, undefined, variables)
afterAll(async () => {
  await server.stop()
  await database.drop()
})

const ROOT = resolve(import.meta.dirname, '..', '..')
const page = (name: string) => readFileSync(join(ROOT, 'docs', name), 'utf8')
const METADATA = '/.well-known/oauth-authorization-server'

async function metadata(): Promise<Record<string, unknown>> {
  const answer = await fetch(server.httpUrl + METADATA)
  expect(answer.status).toBe(200)
  return JSON.parse(await answer.text())
}

const listOf = (value: unknown): string[] => {
  if (!Array.isArray(value)) throw new Error('the metadata has no such list')
  return value.map(String)
}

describe('docs/concepts.md', () => {
  it('lists each permission, and no other', () => {
    const rows = page('concepts.md').match(/^\| `qscope:.* \|$/gm) ?? []
    const listed = rows.flatMap((row) => row.match(/qscope:[a-z.]+/g) ?? [])
    expect(listed).toEqual(PERMISSIONS)
  })
})

describe('docs/http.md', () => {
  const text = page('http.md')
  const paths = [...text.matchAll(/^\| `GET (\/\S+)` \|/gm)].map(([, path = '']) => path)

  it.each(paths)('lists %s, which is answered', async (path) => {
    expect((await fetch(server.httpUrl + path)).status).toBe(200)
  })

  it('lists the documents that the server has', () => {
    expect(paths.sort()).toEqual(
      [
        METADATA,
        '/.well-known/openid-configuration',
        '/.well-known/jwks.json',
        '/console/',
        '/console/device',
        '/docs/errors',
        '/healthz',
        '/metrics',
        '/readyz',
      ].sort(),
    )
  })

  it('names the endpoint that the metadata does not name', async () => {
    const [, name = ''] = /The metadata names no `(\w+)`/.exec(text) ?? []
    expect(name).toMatch(/_endpoint$/)
    expect(Object.keys(await metadata())).not.toContain(name)
  })

  it('states the enforced limits', () => {
    const { maxHeaderBytes, headersTimeoutMs, requestTimeoutMs, maxConnections, silenceMs } = DEFAULT_HTTP_LIMITS
    expect(text).toContain(
      `Headers of ${maxHeaderBytes / 1024} KiB and ${headersTimeoutMs / 1000} s, requests of ${requestTimeoutMs / 1000} s, ${maxConnections.toLocaleString('en')} connections, ${silenceMs / 60_000} minutes without a byte`,
    )
  })
})

describe('docs/security.md', () => {
  const text = page('security.md')
  const row = (what: string) => new RegExp(`^\\| ${what} \\| (.*) \\|$`, 'm').exec(text)?.[1] ?? ''
  const algorithmsIn = (line: string) => [...line.matchAll(/\b(?:[REP]S256|EdDSA)\b/g)].map(([name]) => name).sort()

  it('names the algorithms that sign access tokens', async () => {
    const signing = [SigningAlgorithm.ES256, SigningAlgorithm.EDDSA, SigningAlgorithm.RS256]
    for (const algorithm of signing) {
      await server.call(KeyService.method.prepareSigningKey, { algorithm }, { bearer: server.admin.token })
    }
    const { keys } = JSON.parse(await (await fetch(`${server.httpUrl}/.well-known/jwks.json`)).text())
    const served = [...new Set(listOf(keys.map(({ alg }: { readonly alg: string }) => alg)))].sort()
    expect(algorithmsIn(row('JWT access tokens'))).toEqual(served)
  })

  it('names the algorithms of assertions, as the metadata does', async () => {
    const published = listOf((await metadata())['token_endpoint_auth_signing_alg_values_supported'])
    expect(published.sort()).toEqual([...ASSERTION_ALGORITHMS].sort())
    expect(algorithmsIn(row('assertions'))).toEqual(published)
  })

  it('names the challenge of PKCE, as the metadata does', async () => {
    expect(listOf((await metadata())['code_challenge_methods_supported'])).toEqual([row('PKCE')])
  })
})

describe('docs/conformance.md', () => {
  const reasons = Object.values(REQUIREMENTS).flatMap((rows) => rows.map(({ notApplicable = '' }) => notApplicable))

  it('does not claim that published metadata is missing', async () => {
    await metadata()
    const denied =
      /(metadata|RFC 8414|\.well-known)[^;|]*\b(is|are) (not|never) (published|served|supported)|HTTP responses of this/i
    expect(reasons.filter((reason) => denied.test(reason))).toEqual([])
    expect(page('conformance.md')).not.toMatch(denied)
  })

  it('makes no false claim about a published or unpublished field of the metadata', async () => {
    const published = await metadata()
    const claims = Object.values(REQUIREMENTS)
      .flat()
      .filter(({ says }) => /metadata|publishes/.test(says))
      .flatMap(({ says, notApplicable }) =>
        [...says.matchAll(/\b[a-z]+(?:_[a-z]+)+_(?:supported|endpoint|tokens|uri)\b/g)].map(
          ([name]) => [name, notApplicable === undefined] as const,
        ),
      )
    expect(claims.length).toBeGreaterThanOrEqual(3)
    expect(claims).toEqual(claims.map(([name]) => [name, name in published]))
  })
})
