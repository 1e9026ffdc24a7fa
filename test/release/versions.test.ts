import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { MIGRATIONS } from '../../src/stores/sql/migrate/steps/all.ts'

const ROOT = resolve(import.meta.dirname, '..', '..')
const read = (file: string) => readFileSync(join(ROOT, file), 'utf8')
const { version } = JSON.parse(read('package.json'))

/** The other places of the version, each with a pattern that finds it. */
const PLACES: readonly [file: string, pattern: RegExp][] = [
  ['package-lock.json', /^ {2}"version": "(.*)",$/m],
  ['packages/client/package.json', /^ {2}"version": "(.*)",$/m],
  ['clients/python/pyproject.toml', /^version = "(.*)"$/m],
  ['clients/java/pom.xml', /<artifactId>qscope-client<\/artifactId>\s+<version>(.*)<\/version>/],
  ['clients/rust/Cargo.toml', /^version = "(.*)"$/m],
  ['clients/rust/Cargo.lock', /^name = "qscope-client"\nversion = "(.*)"$/m],
  ['deploy/helm/Chart.yaml', /^version: (.*)$/m],
  ['deploy/helm/Chart.yaml', /^appVersion: (.*)$/m],
  ['deploy/kubernetes/base/kustomization.yaml', /^ {4}newTag: (.*)$/m],
  ['Dockerfile', /^ARG VERSION=(.*)$/m],
]
/** The last migration of 0.1.0, the first release. */
const LAST_OF_FIRST_RELEASE = '0015_scope_usage'
/** Pages that name files of a release. */
const PAGES = ['docs/client-packages.md', 'docs/quick-start.md', 'docs/systemd.md']

describe('the version of the release', () => {
  it.each(PLACES)('is in %s (%s)', (file, pattern) => {
    expect(pattern.exec(read(file))?.[1]).toBe(version)
  })

  it.each(PAGES)('is in the file names on %s', (page) => {
    const named = [...read(page).matchAll(/qscope(?:[-_]client)?[-@:]v?(\d+\.\d+\.\d+)/g)].map(([, found]) => found)
    expect(new Set(named)).toEqual(new Set([version]))
  })

  it('has its contract as the baseline, which later contracts must not break', () => {
    expect(readdirSync(join(ROOT, 'proto', 'baseline'))).toEqual([`v${version}.binpb`])
  })

  it('has a section in the changelog, with its date', () => {
    expect(read('CHANGELOG.md')).toMatch(
      new RegExp(`^## \\[${version.replaceAll('.', '\\.')}\\] - \\d{4}-\\d\\d-\\d\\d$`, 'm'),
    )
  })

  it('is the newest section with a number in the changelog', () => {
    expect(/^## \[(\d.*?)\]/m.exec(read('CHANGELOG.md'))?.[1]).toBe(version)
  })

  it.each(MIGRATIONS.map(({ name }) => name).filter((name) => name > LAST_OF_FIRST_RELEASE))(
    'is upgraded with %s, which the upgrade page names',
    (migration) => {
      expect(read('docs/upgrading.md')).toContain(`\`${migration}\``)
    },
  )
})
