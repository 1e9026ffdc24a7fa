import { execFile, execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { GrantType } from '../../src/gen/qscope/v1/client_pb.ts'
import { type Block, blocksOf } from '../docs/page.ts'
import { DOCUMENTED_ADDRESS } from '../docs/shell.ts'
import { cacheFolder, hasToolchain } from '../interop/toolchain.ts'
import { sqliteFiles } from '../setup/fresh-database.ts'
import { goProgram } from '../setup/go-programs.ts'
import { registryAnswers, shellEnvironment } from '../setup/npm.ts'
import { copyCheckout } from '../setup/packed-packages.ts'
import { missing } from '../setup/requirement.ts'
import { startServer, type TestServer } from '../setup/server.ts'

const ROOT = resolve(import.meta.dirname, '..', '..')
const BUILD_MS = 900_000
const execute = promisify(execFile)

const SUITE = 'packages of the clients in empty projects'
const hasGo = hasToolchain({ name: 'go', suite: SUITE, programs: ['go'], version: ['version'], atLeast: [1, 26] })
const python = { name: 'python', programs: ['python3'], version: ['--version'], atLeast: [3, 11] } as const
const hasPython = hasToolchain({ ...python, suite: SUITE })
const java = { name: 'java', programs: ['javac', 'java', 'mvn'], version: ['-version'], atLeast: [17, 0] } as const
const hasJava = hasToolchain({ ...java, suite: SUITE })
const rust = { name: 'rust', programs: ['cargo', 'rustc'], version: ['--version'], atLeast: [1, 88] } as const
const hasRust = hasToolchain({ ...rust, suite: SUITE })
const hasHelm = goProgram('helm', 'the chart in a release') !== null
const canInstall = registryAnswers()
if (!canInstall) missing('registry', SUITE, 'the package registry does not answer')
const canRelease = hasGo && hasPython && hasJava && hasHelm && canInstall

/** Removes an earlier release of the same version from the caches of Maven and Go. */
const FORGET = `
modules="$(go env GOMODCACHE)"
for kept in "$modules/qscope.internal" "$modules/cache/download/qscope.internal" ~/.m2/repository/internal/qscope; do
  [ ! -e "$kept" ] || { chmod -R u+w "$kept" && rm -r "$kept"; }
done`

/** The blocks of a section of a page. */
function blocksUnder(page: string, heading: string): readonly Block[] {
  const text = readFileSync(join(ROOT, page), 'utf8')
  const level = /^#+/.exec(heading)?.[0] ?? ''
  const section = text
    .slice(text.indexOf(`${heading}\n`) + heading.length)
    .split(new RegExp(`^#{1,${level.length}} `, 'm'))[0]
  const blocks = blocksOf(section ?? '')
  if (blocks.length === 0) throw new Error(`${page} has no blocks under ${heading}`)
  return blocks
}

const QUICK_START = blocksUnder('docs/quick-start.md', '## 7. Call it from a program')
const VERIFY = blocksUnder('docs/clients.md', '## Verify a token')
/** What the programs that verify print for a token that the server does not know. */
const UNKNOWN_TOKEN = /it is unknown, has expired, was revoked or is not its bearer's/
/** The output of the programs of the quick start, a line each: TypeScript, Python, Go. */
const PRINTED = QUICK_START.at(-1)?.text.trim().split('\n') ?? []

function program(blocks: readonly Block[], language: string): string {
  const found = blocks.filter((block) => block.language === language)
  if (found.length !== 1) throw new Error(`${found.length} programs in ${language}`)
  return found[0]?.text ?? ''
}

/** The install command of the page, which the quick start repeats exactly. */
function installLine(language: string): string {
  const line = program(blocksUnder('docs/client-packages.md', `### ${language}`), 'bash').trim()
  if (language !== 'Rust') expect(QUICK_START.map(({ text }) => text).join('')).toContain(line)
  return line
}

let folder: string
let server: TestServer
let variables: Record<string, string>

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'qscope-services-'))
  server = await startServer((await sqliteFiles.create()).url)
  const { clientSecret } = await server.registerClient({
    clientId: 'orders',
    grantTypes: [GrantType.CLIENT_CREDENTIALS],
    scopes: ['stock.read', 'stock.write'],
    audiences: ['https://warehouse.internal'],
  })
  const admin = server.admin
  variables = { ORDERS_SECRET: clientSecret, ADMIN_SECRET: admin.clientSecret, TOKEN: admin.token }
}, BUILD_MS)
afterAll(async () => {
  await server.stop()
  rmSync(folder, { recursive: true })
})

/** An empty folder for a service, next to the checkout. */
function emptyProject(name: string): string {
  const project = join(folder, name)
  mkdirSync(project)
  return project
}

/** Runs lines in a project; returns their output. */
async function type(project: string, lines: string, bin?: string): Promise<string> {
  const shell = shellEnvironment()
  const PATH = [bin, shell['PATH']].filter((path) => path !== undefined).join(delimiter)
  // Go also caches the index of a module by version.
  const ofGo = { GOFLAGS: '-buildvcs=false', GODEBUG: 'goindex=0' }
  const env = { ...shell, ...ofGo, ...variables, PATH }
  const { stdout } = await execute('bash', ['-ec', lines], { cwd: project, env, maxBuffer: 64 * 1024 * 1024 })
  return stdout.trim()
}

/** Writes a program of a page, with the address of the test's server. */
function write(project: string, file: string, text: string): void {
  expect(text).toContain(DOCUMENTED_ADDRESS)
  writeFileSync(join(project, file), text.replaceAll(DOCUMENTED_ADDRESS, server.address))
}

describe.skipIf(!canRelease)('npm run release', () => {
  let release: string
  beforeAll(async () => {
    const checkout = copyCheckout(join(folder, 'qscope'))
    // The Go module contains the files known to git.
    const git = (...args: string[]) => execFileSync('git', args, { cwd: checkout, stdio: 'pipe' })
    git('init', '--quiet')
    git('add', '--all')
    mkdirSync(join(checkout, '.cache'))
    symlinkSync(join(ROOT, '.cache', 'bin'), join(checkout, '.cache', 'bin'))
    await type(checkout, 'npm run release')
    release = join(checkout, 'release')
    // Maven and Go cache earlier artefacts of this version.
    await type(checkout, FORGET)
  }, BUILD_MS)

  it('creates all artefacts, with correct checksums', async () => {
    const checked = await type(release, 'sha256sum --check --strict SHA256SUMS')
    const files = checked.split('\n').map((line) => line.replace(/: OK$/, ''))
    expect(files).toEqual(
      expect.arrayContaining([
        'go/qscope.internal/client/@v/v0.1.0.zip',
        'helm/qscope-0.1.0.tgz',
        'maven/internal/qscope/qscope-client/0.1.0/qscope-client-0.1.0.jar',
        'npm/qscope-0.1.0.tgz',
        'npm/qscope-client-0.1.0.tgz',
        'python/qscope_client-0.1.0-py3-none-any.whl',
        'sbom/qscope.cdx.json',
      ]),
    )
    const listed = execFileSync('find', ['.', '-type', 'f', '!', '-name', 'SHA256SUMS'], {
      cwd: release,
      encoding: 'utf8',
    })
    expect(
      listed
        .trim()
        .split('\n')
        .map((file) => file.slice(2))
        .sort(),
    ).toEqual([...files].sort())
    writeFileSync(join(release, 'helm', 'qscope-0.1.0.tgz'), 'changed')
    await expect(type(release, 'sha256sum --check --strict SHA256SUMS')).rejects.toThrow()
  })

  it('lists each installed package of the server with its hash', () => {
    const bom = JSON.parse(readFileSync(join(release, 'sbom', 'qscope.cdx.json'), 'utf8'))
    expect(bom).toMatchObject({
      bomFormat: 'CycloneDX',
      specVersion: '1.5',
      metadata: { component: { name: 'qscope' } },
    })
    const lock = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8'))
    interface Locked {
      readonly dev?: boolean
      readonly version: string
      readonly integrity: string
    }
    const locked = Object.entries<Locked>(lock.packages).filter(([path, { dev }]) => path !== '' && dev !== true)
    const expected = locked.map(([path, { version, integrity }]) => {
      const [, hash = ''] = /^sha512-(.*)$/.exec(integrity) ?? []
      return `${path.replace(/^.*node_modules\//, '')}@${version} ${Buffer.from(hash, 'base64').toString('hex')}`
    })
    const listed = bom.components.map(
      ({ name, version, hashes }: { name: string; version: string; hashes: { content: string }[] }) =>
        `${name}@${version} ${hashes[0]?.content}`,
    )
    expect(expected.length).toBeGreaterThan(50)
    expect(new Set(listed)).toEqual(new Set(expected))
  })

  it(
    'has a TypeScript package that an empty project installs with one command',
    async () => {
      const project = emptyProject('typescript')
      writeFileSync(join(project, 'package.json'), '{"private":true,"type":"module"}')
      await type(project, installLine('TypeScript'))
      write(project, 'mint.ts', program(QUICK_START, 'ts'))
      expect(await type(project, 'node mint.ts')).toBe(PRINTED[0])
      write(project, 'verify.ts', program(VERIFY, 'ts'))
      expect(await type(project, 'node verify.ts')).toBe('a token of admin')
    },
    BUILD_MS,
  )

  it(
    'has a wheel that an empty project installs with one command',
    async () => {
      const project = emptyProject('python')
      await type(project, 'python3 -m venv environment')
      const bin = join(project, 'environment', 'bin')
      await type(project, installLine('Python'), bin)
      write(project, 'mint.py', program(QUICK_START, 'python'))
      expect(await type(project, 'python mint.py', bin)).toBe(PRINTED[1])
      write(project, 'verify.py', program(VERIFY, 'python'))
      expect(await type(project, 'python verify.py', bin)).toBe('a token of admin')
      await expect(type(project, 'TOKEN=unknown python verify.py', bin)).rejects.toThrow(UNKNOWN_TOKEN)
    },
    BUILD_MS,
  )

  it(
    'has a Go module that an empty project installs with one command',
    async () => {
      const project = emptyProject('go')
      write(project, 'mint.go', program(QUICK_START, 'go'))
      await type(project, `go mod init shop.example/orders\n${installLine('Go')}`)
      expect(await type(project, 'go run .')).toBe(PRINTED[2])
      mkdirSync(join(project, 'verify'))
      write(project, join('verify', 'verify.go'), program(VERIFY, 'go'))
      expect(await type(project, 'go run ./verify')).toBe('a token of admin')
      await expect(type(project, 'TOKEN=unknown go run ./verify')).rejects.toThrow(UNKNOWN_TOKEN)
    },
    BUILD_MS,
  )

  it(
    'has a Maven artefact that an empty project can depend on',
    async () => {
      const project = emptyProject('java')
      const blocks = blocksUnder('docs/client-packages.md', '### Java')
      writeFileSync(join(project, 'pom.xml'), pomWith(program(blocks, 'xml')))
      mkdirSync(join(project, 'src', 'main', 'java'), { recursive: true })
      write(project, join('src', 'main', 'java', 'Mint.java'), program(blocks, 'java'))
      const maven = 'mvn --quiet --batch-mode --no-transfer-progress'
      await type(project, `${maven} compile dependency:build-classpath -Dmdep.outputFile=classpath`)
      const printed = await type(project, 'java -cp "target/classes:$(cat classpath)" Mint')
      expect(printed).toBe(program(blocks, 'text').trim())
    },
    BUILD_MS,
  )

  it.skipIf(!hasRust)(
    'comes with a Rust template that an empty project can depend on',
    async () => {
      const project = emptyProject('rust')
      const blocks = blocksUnder('docs/client-packages.md', '### Rust')
      // Reuses earlier builds.
      const target = `export CARGO_TARGET_DIR=${cacheFolder('rust')}`
      const lock = 'cp ../qscope/clients/rust/Cargo.lock .'
      await type(project, `cargo init --quiet --vcs none --name orders\n${lock}\n${target}\n${program(blocks, 'bash')}`)
      write(project, join('src', 'main.rs'), program(blocks, 'rust'))
      expect(await type(project, `${target}\ncargo run --quiet`)).toBe(program(blocks, 'text').trim())
      const template = join(folder, 'qscope', 'clients', 'rust')
      await type(template, 'cargo fmt --check')
      const example = `${target}\ncargo run --quiet --locked --example mint -- http://${server.address} orders`
      const secret = variables['ORDERS_SECRET'] ?? ''
      expect(await type(template, `QSCOPE_CLIENT_SECRET='${secret}'; export QSCOPE_CLIENT_SECRET\n${example}`)).toMatch(
        /^minted a Bearer token for/,
      )
      await expect(type(template, `export QSCOPE_CLIENT_SECRET=wrong\n${example}`)).rejects.toThrow(
        /refused: OAUTH_INVALID_CLIENT/,
      )
    },
    BUILD_MS,
  )
})

/** The smallest project with the dependencies of the page, and with the plugins that build the client. */
function pomWith(dependencies: string): string {
  return `<project xmlns="http://maven.apache.org/POM/4.0.0">
<modelVersion>4.0.0</modelVersion>
<groupId>shop.example</groupId>
<artifactId>orders</artifactId>
<version>1</version>
<properties>
  <maven.compiler.release>17</maven.compiler.release>
  <project.build.sourceEncoding>UTF-8</project.build.sourceEncoding>
</properties>
${dependencies}
<build>
  <plugins>
    <plugin><artifactId>maven-resources-plugin</artifactId><version>3.5.0</version></plugin>
    <plugin><artifactId>maven-compiler-plugin</artifactId><version>3.16.0</version></plugin>
    <plugin><artifactId>maven-dependency-plugin</artifactId><version>3.11.0</version></plugin>
  </plugins>
</build>
</project>
`
}
