import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'
import { qscope, temporaryDirectory } from '../e2e/process.ts'
import { expectAsShown } from './expect-as-shown.ts'
import { blocksOf } from './page.ts'

const ROOT = resolve(import.meta.dirname, '..', '..')
const FLOWS = join(ROOT, 'docs', 'flows')
const TIMEOUT_MS = 300_000
const pages = readdirSync(FLOWS).filter((name) => name !== 'README.md')
const read = (page: string) => readFileSync(join(FLOWS, page), 'utf8')

test('the list of flows names every page', () => {
  for (const page of pages) expect(read('README.md')).toContain(`](${page})`)
})

test('every page begins its walk in the same way', () => {
  const beginnings = pages.map((page) => blocksOf(read(page)).find(({ language }) => language === 'sh')?.text)
  expect(new Set(beginnings).size).toBe(1)
})

test.each(pages)('%s draws its flow and names its clauses', (page) => {
  const [diagram] = blocksOf(read(page))
  expect(diagram?.language).toBe('mermaid')
  expect(diagram?.text).toMatch(/^sequenceDiagram\n/)
  expect(read(page)).toMatch(/## Rules\n[^#]*RFC \d{4} §/)
})

test.each(pages)(
  '%s is run as written',
  async (page) => {
    const server = qscope(await temporaryDirectory(), ['serve'], { QSCOPE_GRPC_LISTEN: '127.0.0.1:0' })
    const [, address = ''] = await server.until(/listens on (\S+)/)
    const [, secret = ''] = /client secret {2}(\S+)/.exec(server.stdout) ?? []
    const blocks = blocksOf(read(page)).filter(({ language }) => language !== 'mermaid')
    await expectAsShown(blocks, { ADDRESS: address, ADMIN_SECRET: secret })
    server.child.kill('SIGTERM')
    expect(await server.ended).toEqual({ code: 0, signal: null })
  },
  TIMEOUT_MS,
)
