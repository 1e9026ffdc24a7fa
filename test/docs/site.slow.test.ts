import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { anyUnpack } from '@bufbuild/protobuf/wkt'
import { beforeAll, describe, expect, test } from 'vitest'
import { BUILT_SITE, buildSite, isGeneratorInstalled, SITE } from '../../scripts/site/build-site.ts'
import { MINI_SEARCH } from '../../scripts/site/search.ts'
import { siteProblems } from '../../scripts/site/site-problems.ts'
import { type ErrorCode, registry } from '../../src/errors/registry.ts'
import { HelpSchema } from '../../src/gen/google/rpc/error_details_pb.ts'
import { toRpcStatus } from '../../src/rpc/rpc-status.ts'
import { registryAnswers } from '../setup/npm.ts'
import { missing } from '../setup/requirement.ts'

const canBuild = isGeneratorInstalled() || registryAnswers()
if (!canBuild) missing('registry', 'test/docs/site.slow.test.ts', 'the package registry does not answer')

/** What is used of MiniSearch, which only the site has. */
interface SearchModule {
  readonly default: {
    loadJSON(index: string, options: object): { search(question: string, options: object): readonly { id: string }[] }
  }
}

/** What a newcomer may type, and the pages of which one has to be among the first three. */
const QUESTIONS: readonly (readonly [question: string, pages: readonly string[]])[] = [
  ['rotate a client secret', ['cookbook/client-service', 'command-line']],
  ['token is inactive why', ['explanations']],
  ['MySQL set up', ['databases', 'semi-synchronous-pair']],
  ['verify without a network call', ['verify-from-memory', 'keys']],
  ['revoke all tokens of a user', ['cookbook/token-service', 'flows/revocation-and-introspection', 'concepts']],
  ['device flow', ['flows/device-authorization', 'cookbook/device-service']],
  ['mTLS', ['tls', 'flows/client-credentials']],
  ['upgrade', ['upgrading']],
  ['rate limit exceeded', ['errors', 'limits']],
  ['Kubernetes', ['container', 'helm', 'workload-identity']],
]

describe.runIf(canBuild)('the site of the docs', () => {
  let warnings: readonly string[] = []
  beforeAll(() => {
    warnings = buildSite()
  })

  test('is built without a warning, and has no dead link, no dead anchor and nothing of another host', () => {
    expect(warnings).toEqual([])
    expect(siteProblems(BUILT_SITE)).toEqual([])
  })

  test('has a page for each page of docs/', () => {
    const names = (folder: string, end: string) =>
      readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith(end))
    const expected = names(join(SITE, '..', 'docs'), '.md').map((name) =>
      name.replace(/(^|\/)README\.md$/, '$1index.md').replace(/\.md$/, '.html'),
    )
    expect(names(BUILT_SITE, '.html').sort()).toEqual([...expected, '404.html'].sort())
  })

  test('has the place to which the Help link of each error leads', () => {
    for (const code of Object.keys(registry) as ErrorCode[]) {
      const { details } = toRpcStatus({ ok: false, code, details: {} }, 'ray', 'https://docs.example/errors.html')
      const [help] = details.flatMap((detail) => anyUnpack(detail, HelpSchema) ?? [])
      const { pathname, hash } = new URL(help?.links[0]?.url ?? '')
      expect(readFileSync(join(BUILT_SITE, pathname), 'utf8')).toContain(` id="${hash.slice(1)}"`)
    }
  })

  test.each(QUESTIONS)('answers “%s” with the right page among the first three', async (question, pages) => {
    const module = pathToFileURL(join(SITE, 'node_modules', 'minisearch', 'dist', 'es', 'index.js')).href
    const { default: miniSearch }: SearchModule = await import(/* @vite-ignore */ module)
    const index = miniSearch.loadJSON(await builtIndex(), {
      fields: ['title', 'titles', 'text'],
      storeFields: ['title', 'titles'],
      ...MINI_SEARCH.options,
    })
    const found = index.search(question, MINI_SEARCH.searchOptions).map(({ id }) => id.replace(/\.html.*|#.*/, ''))
    const first = found.slice(0, 3).map((path) => path.replace(/^\//, ''))
    expect(first).toSatisfy((paths) => paths.some((path: string) => pages.includes(path)))
  })
})

/** The index as a browser loads it. */
async function builtIndex(): Promise<string> {
  const chunks = join(BUILT_SITE, 'assets', 'chunks')
  const [name, ...others] = readdirSync(chunks).filter((file) => file.includes('localSearchIndex'))
  expect(others).toEqual([])
  const { default: index } = await import(/* @vite-ignore */ pathToFileURL(join(chunks, name ?? '')).href)
  return index
}
