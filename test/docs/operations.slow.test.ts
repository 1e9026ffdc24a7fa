import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'
import { qscope, temporaryDirectory } from '../e2e/process.ts'
import { expectAsShown } from './expect-as-shown.ts'
import { blocksOf } from './page.ts'
import { runShell } from './shell.ts'

const DOCS = resolve(import.meta.dirname, '..', '..', 'docs')
const TIMEOUT_MS = 300_000

/** Pages whose walk first makes files in a folder, then needs a server that has them. */
const PAGES: readonly [page: string, folder: string, env: (folder: string) => Record<string, string>][] = [
  [
    'tls.md',
    'TLS',
    (folder) => ({
      QSCOPE_DATABASE_URL: `sqlite:${join(folder, 'qscope.db')}`,
      QSCOPE_TLS_CERT_FILE: join(folder, 'server.pem'),
      QSCOPE_TLS_KEY_FILE: join(folder, 'server.key'),
      QSCOPE_TLS_CLIENT_CA_FILE: join(folder, 'ca.pem'),
    }),
  ],
  [
    'workload-identity.md',
    'CLUSTER',
    (folder) => ({
      QSCOPE_DATABASE_URL: `sqlite:${join(folder, 'qscope.db')}`,
      QSCOPE_TRUSTED_ISSUERS_FILE: join(folder, 'issuers.json'),
      QSCOPE_ISSUER: 'https://qscope.example',
    }),
  ],
]

test.each(PAGES)(
  'docs/%s is run as written',
  async (page, variable, env) => {
    const text = readFileSync(join(DOCS, page), 'utf8')
    const walk = blocksOf(text.slice(text.indexOf('## Walk through it')))
    const [making, start, ...rest] = walk
    expect([making?.language, start?.language]).toEqual(['sh', 'text'])
    const folder = await temporaryDirectory()
    await runShell([making?.text ?? ''], { [variable]: folder })
    const variables = env(folder)
    for (const [name, value] of Object.entries(variables)) {
      expect(start?.text).toContain(`${name}=${value.replace(folder, `$${variable}`)}`)
    }
    const server = qscope(await temporaryDirectory(), ['serve'], { QSCOPE_GRPC_LISTEN: '127.0.0.1:0', ...variables })
    const [, address = ''] = await server.until(/listens on (\S+)/)
    const [, secret = ''] = /client secret {2}(\S+)/.exec(server.stdout) ?? []
    await expectAsShown(rest, { ADDRESS: address, ADMIN_SECRET: secret, [variable]: folder })
  },
  TIMEOUT_MS,
)
