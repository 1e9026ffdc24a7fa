import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { qscope, temporaryDirectory } from '../e2e/process.ts'
import { freePort } from '../setup/free-port.ts'
import { hasGrpcurl } from '../setup/grpcurl.ts'
import { installClient } from '../setup/installed-client.ts'
import { hasJq } from '../setup/jq.ts'
import { blocksOf, matchesText } from './page.ts'
import { runBlocks } from './shell.ts'

const PAGE = join(resolve(import.meta.dirname, '..', '..'), 'docs', 'verify-from-memory.md')
const TIMEOUT_MS = 300_000
/** Done already: from the sources, not from a registry. */
const INSTALLS = /^npm install /

test.skipIf(!hasGrpcurl || !hasJq)(
  'docs/verify-from-memory.md verifies a token from memory, and notices its revocation',
  async () => {
    const installed = installClient()
    onTestFinished(() => installed.remove())
    const server = qscope(await temporaryDirectory(), ['serve'], { QSCOPE_GRPC_LISTEN: '127.0.0.1:0' })
    const [, address = ''] = await server.until(/listens on (\S+)/)
    const [, secret = ''] = /client secret {2}(\S+)/.exec(server.stdout) ?? []
    const blocks = blocksOf(readFileSync(PAGE, 'utf8')).filter(({ text }) => !INSTALLS.test(text))
    const typed = blocks.filter(({ language }) => language === 'sh')
    const variables = { ADMIN_SECRET: secret, WAREHOUSE_PORT: String(await freePort()) }
    const outputs = await runBlocks(typed, { variables, address, cwd: installed.folder })
    const shown = [...blocks.entries()].filter(([, { language }]) => language === 'text')
    expect(shown).toHaveLength(2)
    for (const [at, { text }] of shown) {
      const printed = outputs[typed.indexOf(blocks[at - 1] ?? { language: '', text: '' })]
      expect(printed).toSatisfy((output) => matchesText(text, output), text)
    }
    server.child.kill('SIGTERM')
    expect(await server.ended).toEqual({ code: 0, signal: null })
  },
  TIMEOUT_MS,
)
