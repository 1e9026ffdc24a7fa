import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { expect, test } from 'vitest'
import { fileLinksOf } from './page.ts'

const ROOT = resolve(import.meta.dirname, '..', '..')
const inDocs = readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' })
const pages = [
  'README.md',
  'CHANGELOG.md',
  ...inDocs.filter((name) => name.endsWith('.md')).map((name) => `docs/${name}`),
]

test.each(pages)('every file that %s links to exists', (page) => {
  const links = fileLinksOf(readFileSync(join(ROOT, page), 'utf8'))
  expect(links.filter((target) => !existsSync(join(ROOT, dirname(page), target)))).toEqual([])
})

test('the page on adding a grant names real files in its examples too', () => {
  const named = [
    ...readFileSync(join(ROOT, 'docs', 'grants.md'), 'utf8').matchAll(/`((?:src|test|proto|docs)\/[^`*<>\s]+)`/g),
  ]
  expect(named.length).toBeGreaterThan(5)
  expect(named.map(([, path = '']) => path).filter((path) => !existsSync(join(ROOT, path)))).toEqual([])
})

test('the README lists the pages', () => {
  const readme = readFileSync(join(ROOT, 'README.md'), 'utf8')
  for (const page of inDocs.filter((name) => /^[\w-]+\.md$/.test(name))) expect(readme).toContain(`](docs/${page})`)
})
