import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'
import { qscope, temporaryDirectory } from '../e2e/process.ts'
import { expectAsShown } from './expect-as-shown.ts'
import { blocksOf } from './page.ts'

const DOCS = join(resolve(import.meta.dirname, '..', '..'), 'docs')

test.each(['http.md', 'oauth-http.md'])(
  '%s is run as written, on a server that ends at the signal',
  async (page) => {
    const variables = { QSCOPE_GRPC_LISTEN: '127.0.0.1:0', QSCOPE_HTTP_LISTEN: '127.0.0.1:0' }
    const server = qscope(await temporaryDirectory(), ['serve'], variables)
    const [, url = ''] = await server.until(/Connect, gRPC-Web and \/\.well-known at (\S+)\n[\s\S]*client secret/)
    const [, secret = ''] = /client secret {2}(\S+)/.exec(server.stdout) ?? []
    const blocks = blocksOf(readFileSync(join(DOCS, page), 'utf8')).filter(({ language }) => language !== 'console')
    await expectAsShown(blocks, { URL: url, ADMIN_SECRET: secret })
    server.child.kill('SIGTERM')
    expect(await server.ended).toEqual({ code: 0, signal: null })
  },
  300_000,
)
