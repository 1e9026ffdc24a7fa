import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import {
  dependencyProblems,
  importProblems,
  type LockedPackage,
  type Manifest,
  packagesImported,
  withDependencies,
} from '../scripts/dependency-rules.ts'

const SOUND: LockedPackage = { version: '1.2.3', integrity: `sha512-${'A'.repeat(86)}==`, license: 'MIT' }

/** What is said of a project that depends on one package. */
function problemsOf(locked: Partial<LockedPackage>, manifest: Manifest = {}): readonly string[] {
  const packages = { '': {}, 'node_modules/a': { ...SOUND, ...locked } }
  return dependencyProblems({ dependencies: { a: '1.2.3' }, ...manifest }, { packages })
}

describe('what QScope depends on', () => {
  it('is sound', () => {
    const read = (name: string) => JSON.parse(readFileSync(join(import.meta.dirname, '..', name), 'utf8'))
    for (const folder of ['', 'site/']) {
      expect(dependencyProblems(read(`${folder}package.json`), read(`${folder}package-lock.json`))).toEqual([])
    }
    expect(problemsOf({})).toEqual([])
  })

  it.each(['^1.2.3', '~1.2.3', '1.2.x', '>=1.2.3', 'latest', '*', 'git+https://github.com/a/a.git', 'file:../a'])(
    'is pinned: not %s',
    (version) => {
      expect(problemsOf({}, { dependencies: { a: version } })[0]).toContain('is not pinned')
    },
  )

  it('is pinned where one version stands for another one, however deep', () => {
    expect(problemsOf({}, { overrides: { b: '2.0.0', c: { d: '^1.0.0' } } })).toEqual([
      'package.json: overrides.c.d is not pinned to one version, but ^1.0.0',
    ])
  })

  it('is judged for its install scripts only as long as it is there', () => {
    expect(problemsOf({}, { allowScripts: { gone: false } })).toEqual([
      'package.json: allowScripts judges gone, which is not locked',
    ])
  })

  it('is asked for where a program that is made of a package imports it', () => {
    const text = [
      "import { a } from 'a'",
      "import type { b } from 'b/deep'",
      'import {\n  c,\n} from "@scope/c/deep"',
      "import 'd'",
      "import './e.css'",
      "export { f } from '../f.ts'",
      "import { join } from 'node:path'",
    ].join('\n')
    expect(packagesImported(text)).toEqual(['@scope/c', 'a', 'b', 'd'])
    expect(importProblems('the console', ['a', 'b'], { devDependencies: { b: '1.0.0' } })).toEqual([
      'package.json: a, which the console imports, is not asked for',
    ])
  })

  it('is shipped together with all that it depends on', () => {
    const packages = {
      'node_modules/a': { dependencies: { b: '^1.0.0' } },
      'node_modules/a/node_modules/b': { dependencies: { c: '*' } },
      'node_modules/c': { dependencies: { a: '*' } },
      'node_modules/d': {},
    }
    expect(withDependencies(['a'], { packages })).toEqual(new Set(['a', 'b', 'c']))
  })

  it('is locked to what was asked for', () => {
    expect(problemsOf({}, { devDependencies: { b: '2.0.0' } })).toEqual(['package-lock.json: b is missing, not 2.0.0'])
    expect(problemsOf({ version: '1.2.4' })).toEqual(['package-lock.json: a is 1.2.4, not 1.2.3'])
  })

  it.each<[string, Partial<LockedPackage>]>([
    ['does not come from the registry', { resolved: 'git+ssh://git@github.com/a/a.git#0123456' }],
    ['does not come from the registry', { resolved: 'https://registry.example/a/-/a-1.2.3.tgz' }],
    ['is a link to a folder', { link: true }],
    ['has no SHA-512 integrity', { integrity: '' }],
    ['has no SHA-512 integrity', { integrity: 'sha1-AAAAAAAAAAAAAAAAAAAAAAAAAAA=' }],
    ['has an install script', { hasInstallScript: true }],
    ['is licensed under GPL-3.0', { license: 'GPL-3.0' }],
    ['is licensed under nothing', { license: '' }],
    ['is licensed under (MIT AND', { license: '(MIT AND GPL-3.0)' }],
  ])('is refused where it %s', (problem, locked) => {
    expect(problemsOf(locked).join()).toContain(problem)
  })

  it('may run the install scripts that were judged, and choose among licences', () => {
    expect(problemsOf({ hasInstallScript: true }, { allowScripts: { a: false } })).toEqual([])
    expect(problemsOf({ license: '(MIT OR GPL-3.0)' })).toEqual([])
  })
})
