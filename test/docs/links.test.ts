import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { anyUnpack } from '@bufbuild/protobuf/wkt'
import { expect, test } from 'vitest'
import { registry } from '../../src/errors/registry.ts'
import { type Help, HelpSchema } from '../../src/gen/google/rpc/error_details_pb.ts'
import { toRpcStatus } from '../../src/rpc/rpc-status.ts'
import { anchorsOf, fileLinksOf, linksOf } from './page.ts'

const ROOT = resolve(import.meta.dirname, '..', '..')
const inDocs = readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' })
const read = (page: string) => readFileSync(join(ROOT, page), 'utf8')
/** Folders beside docs/ that have pages of their own. */
const FOLDERS = ['clients', 'packages', 'deploy', 'bench'].filter((folder) => existsSync(join(ROOT, folder)))
const pages = [
  ...readdirSync(ROOT).filter((name) => name.endsWith('.md')),
  ...inDocs.filter((name) => name.endsWith('.md')).map((name) => join('docs', name)),
  ...FOLDERS.flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.md') && !name.includes('node_modules'))
      .map((name) => join(folder, name)),
  ),
]

test.each(pages)('every file and picture that %s links to exists', (page) => {
  const links = fileLinksOf(read(page))
  expect(links.filter((target) => !existsSync(join(ROOT, dirname(page), target)))).toEqual([])
})

test.each(pages)('every heading that %s links to exists', (page) => {
  const wrong = linksOf(read(page)).filter(({ file, anchor }) => {
    if (anchor === null) return false
    const target = file === '' ? join(ROOT, page) : join(ROOT, dirname(page), file)
    if (!target.endsWith('.md') || !existsSync(target) || !statSync(target).isFile()) return false
    return !anchorsOf(readFileSync(target, 'utf8')).has(anchor)
  })
  expect(wrong).toEqual([])
})

test.each(['grants.md', 'extending.md'])('docs/%s names real files in its examples too', (page) => {
  const named = [...read(join('docs', page)).matchAll(/`((?:src|test|proto|docs|scripts)\/[^`*<>\s]+)`/g)]
  expect(named.length).toBeGreaterThan(3)
  expect(named.map(([, path = '']) => path).filter((path) => !existsSync(join(ROOT, path)))).toEqual([])
})

test('docs/README.md lists the pages', () => {
  const own = inDocs.filter((name) => /^[\w-]+\.md$/.test(name) && name !== 'README.md')
  const listed = new Set(fileLinksOf(read('docs/README.md')))
  expect(own.filter((name) => !listed.has(name))).toEqual([])
})

test('the Help of every error leads to its place in docs/errors.md', () => {
  const anchors = anchorsOf(read('docs/errors.md'))
  for (const code of Object.keys(registry) as (keyof typeof registry)[]) {
    const { details } = toRpcStatus({ ok: false, code, details: {} }, 'ray', 'https://issuer.example/docs/errors')
    const help = details.map((detail) => anyUnpack(detail, HelpSchema)).find((each): each is Help => each !== undefined)
    const url = new URL(help?.links[0]?.url ?? '')
    expect(url.pathname).toBe('/docs/errors')
    expect(anchors).toContain(url.hash.slice(1))
  }
})
