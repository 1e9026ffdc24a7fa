import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'
import { qscope, temporaryDirectory } from '../e2e/process.ts'
import { expectAsShown } from './expect-as-shown.ts'
import { blocksOf } from './page.ts'

const PAGE = join(resolve(import.meta.dirname, '..', '..'), 'docs', 'http.md')

test('http.md is run as written, on a server that ends at the signal', async () => {
  const variables = { QSCOPE_GRPC_LISTEN: '127.0.0.1:0', QSCOPE_HTTP_LISTEN: '127.0.0.1:0' }
  const server = qscope(await temporaryDirectory(), ['serve'], variables)
  const [, url = ''] = await server.until(/Connect, gRPC-Web and \/\.well-known at (\S+)\n[\s\S]*client secret/)
  const [, secret = ''] = /client secret {2}(\S+)/.exec(server.stdout) ?? []
  const blocks = blocksOf(readFileSync(PAGE, 'utf8'))
  await expectAsShown(blocks, { URL: url, ADMIN_SECRET: secret })
  server.child.kill('SIGTERM')
  expect(await server.ended).toEqual({ code: 0, signal: null })
}, 300_000)
