import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'
import { qscope, temporaryDirectory } from '../e2e/process.ts'
import { blocksOf, matchesJson, matchesText } from './page.ts'
import { runShell } from './shell.ts'

const PAGE = join(resolve(import.meta.dirname, '..', '..'), 'docs', 'http.md')

test('http.md is run as written, on a server that ends at the signal', async () => {
  const variables = { QSCOPE_GRPC_LISTEN: '127.0.0.1:0', QSCOPE_HTTP_LISTEN: '127.0.0.1:0' }
  const server = qscope(await temporaryDirectory(), ['serve'], variables)
  const [, url = ''] = await server.until(/Connect, gRPC-Web and \/\.well-known at (\S+)\n[\s\S]*client secret/)
  const [, secret = ''] = /client secret {2}(\S+)/.exec(server.stdout) ?? []
  const blocks = blocksOf(readFileSync(PAGE, 'utf8'))
  const outputs = await runShell(
    blocks.filter(({ language }) => language === 'sh').map(({ text }) => text),
    { URL: url, ADMIN_SECRET: secret },
  )
  let printed = -1
  for (const { language, text } of blocks) {
    if (language === 'sh') printed += 1
    else if (language === 'json') expect(outputs[printed]).toSatisfy((output) => matchesJson(text, output), text)
    else expect(outputs[printed]).toSatisfy((output) => matchesText(text, output), text)
  }
  server.child.kill('SIGTERM')
  expect(await server.ended).toEqual({ code: 0, signal: null })
}, 300_000)
