import { execFileSync, spawn } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { publint } from 'publint'
import { formatMessage } from 'publint/utils'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { killTree } from '../setup/kill-tree.ts'
import { npm, registryAnswers, shellEnvironment } from '../setup/npm.ts'
import { type PackedPackages, packPackages } from '../setup/packed-packages.ts'
import { missing } from '../setup/requirement.ts'
import { CONSUMER } from './consumer.ts'

const INSTALL_MS = 300_000
const canInstall = registryAnswers()
if (!canInstall) missing('registry', 'test/release', 'the package registry does not answer')

let packed: PackedPackages
beforeAll(() => {
  packed = packPackages()
}, INSTALL_MS)
afterAll(() => packed.remove())

const PACKAGES = [
  {
    name: 'qscope',
    tarball: () => packed.server,
    holds:
      /^(dist\/.+\.js|dist\/console\/(index|assets\/[^/]+)\.(html|css|svg|js)(\.(br|gz))?|proto\/.+\.proto|schema\/.+\.sql)$/,
  },
  { name: '@qscope/client', tarball: () => packed.client, holds: /^dist\/.+\.(js|d\.ts)$/ },
]
const DOCUMENTS = /^(package\.json|README\.md|CHANGELOG\.md|LICENSE)$/

const filesIn = (tarball: string) =>
  execFileSync('tar', ['-tzf', tarball], { encoding: 'utf8' })
    .trim()
    .split('\n')
    .map((file) => file.replace(/^package\//, ''))

describe.each(PACKAGES)('the package $name', ({ tarball, holds }) => {
  it('contains its build and its documents, and no other files', () => {
    const files = filesIn(tarball())
    expect(files.filter((file) => !holds.test(file) && !DOCUMENTS.test(file))).toEqual([])
    expect(files).toContain('README.md')
    expect(files).toContain('LICENSE')
    expect(files.length).toBeGreaterThan(50)
  })

  it('passes publint without messages', async () => {
    const bytes = readFileSync(tarball())
    const contents = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength)
    const { messages, pkg } = await publint({ pack: { tarball: contents }, level: 'suggestion', strict: true })
    expect(messages.map((message) => formatMessage(message, pkg))).toEqual([])
  })
})

describe.skipIf(!canInstall)('in empty folders', () => {
  let stopServer: () => void = () => undefined
  afterAll(() => stopServer())
  const emptyFolder = (name: string, manifest: object) => {
    const folder = join(packed.folder, name)
    mkdirSync(folder)
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true, type: 'module', ...manifest }))
    return folder
  }

  it(
    'the installed server serves, and the installed client compiles in strict mode, mints and verifies',
    async () => {
      const site = emptyFolder('site', {})
      npm(site, 'install', packed.server)
      const env = { ...shellEnvironment(), QSCOPE_GRPC_LISTEN: '127.0.0.1:0' }
      const child = spawn('npx', ['qscope', 'serve'], { cwd: site, env })
      stopServer = () => void (child.pid !== undefined && child.exitCode === null && killTree(child.pid))
      let printed = ''
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        printed += text
      })
      await expect.poll(() => printed, { timeout: 60_000 }).toMatch(/client secret +qcs_\S+/)
      const [, address = ''] = /listens on ([^\s;]+)/.exec(printed) ?? []
      const [, secret = ''] = /client secret +(qcs_\S+)/.exec(printed) ?? []

      const service = emptyFolder('service', { allowScripts: { node: true, protobufjs: false } })
      const beside = ['@grpc/grpc-js@1.14.7', '@connectrpc/connect@2.3.0', '@connectrpc/connect-node@2.3.0']
      // Runs the client on an older Node than the server.
      npm(service, 'install', packed.client, ...beside, 'typescript@7.0.2', '@types/node@24.19.2', 'node@22')
      writeFileSync(join(service, 'consumer.ts'), CONSUMER)
      const compile = [
        'tsc',
        '--strict',
        '--noUncheckedIndexedAccess',
        '--exactOptionalPropertyTypes',
        '--types',
        'node',
      ]
      const options = { cwd: service, encoding: 'utf8', stdio: 'pipe' } as const
      const inShell = { ...options, env: shellEnvironment() }
      // Checks libraries, too: the types of the package must be complete with each kind of module resolution.
      const bundled = ['--module', 'preserve', '--moduleResolution', 'bundler', '--noEmit']
      execFileSync('npx', [...compile, ...bundled, '--target', 'es2023', 'consumer.ts'], inShell)
      execFileSync('npx', [...compile, '--module', 'nodenext', '--target', 'es2023', 'consumer.ts'], inShell)
      const node = join(service, 'node_modules', '.bin', 'node')
      expect(execFileSync(node, ['--version'], options)).toMatch(/^v22\./)
      const ran = execFileSync(node, ['consumer.js', address, secret], options)
      expect(JSON.parse(ran)).toEqual({
        'grpc-js': { good: true, subject: 'admin', refused: 'OAUTH_INVALID_CLIENT', keysKept: 300 },
        connect: { good: true, subject: 'admin', refused: 'OAUTH_INVALID_CLIENT', keysKept: 300 },
      })
    },
    INSTALL_MS,
  )
})
