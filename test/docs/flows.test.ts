import { execFile } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'
import { qscope, temporaryDirectory } from '../e2e/process.ts'
import { blocksOf, matchesJson, matchesText } from './page.ts'

const ROOT = resolve(import.meta.dirname, '..', '..')
const FLOWS = join(ROOT, 'docs', 'flows')
const TIMEOUT_MS = 120_000
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
    const outputs = await runShell(
      blocks.filter(({ language }) => language === 'sh').map(({ text }) => text),
      { ADDRESS: address, ADMIN_SECRET: secret },
    )
    let printed = -1
    for (const { language, text } of blocks) {
      if (language === 'sh') printed += 1
      else if (language === 'json') expect(outputs[printed]).toSatisfy((output) => matchesJson(text, output), text)
      else expect(outputs[printed]).toSatisfy((output) => matchesText(text, output), text)
    }
    server.child.kill('SIGTERM')
    expect(await server.ended).toEqual({ code: 0, signal: null })
  },
  TIMEOUT_MS,
)

/** Runs blocks one after the other in one shell that ends at the first failure; answers what each printed. */
function runShell(blocks: readonly string[], variables: Record<string, string>): Promise<readonly string[]> {
  const MARK = '--- next block ---'
  const script = ['set -e', ...blocks.flatMap((block) => [`echo '${MARK}'`, block])].join('\n')
  const PATH = `${join(ROOT, 'node_modules', '.bin')}:${process.env['PATH'] ?? ''}`
  const env = { PATH, HOME: process.env['HOME'] ?? ROOT, ...variables }
  return new Promise((done, failed) => {
    execFile('bash', ['-c', script], { cwd: ROOT, env, timeout: TIMEOUT_MS }, (error, stdout, stderr) => {
      if (error === null) done(stdout.split(`${MARK}\n`).slice(1))
      else failed(new Error(`a block failed:\n${stdout.slice(-2_000)}\n${stderr.slice(-2_000)}`))
    })
  })
}
