import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { blocksOf } from '../docs/page.ts'
import { runBlocks } from '../docs/shell.ts'
import { connect } from '../setup/client.ts'
import { type DatabaseKind, mysqlDatabases, postgresDatabases, sqliteFiles } from '../setup/fresh-database.ts'
import { installed } from '../setup/installed.ts'
import { missing } from '../setup/requirement.ts'
import { qscope, run, temporaryDirectory } from './process.ts'

const PAGE = resolve(import.meta.dirname, '..', '..', 'docs', 'operations.md')
const { introspectToken, mintToken } = TokenService.method
const TIMEOUT_MS = 300_000

/** A backup as docs/operations.md has it: the section, the program it takes, and what its variables stand for. */
interface Backup {
  readonly kind: DatabaseKind
  readonly section: string
  readonly program: string
  readonly variables: (from: URL, to: URL) => Record<string, string>
}

const BACKUPS: readonly Backup[] = [
  { kind: sqliteFiles, section: '### SQLite', program: 'sqlite3', variables: () => ({}) },
  {
    kind: mysqlDatabases,
    section: '### MySQL and MariaDB',
    program: 'mariadb-dump',
    variables: (from, to) => ({
      CONNECTION: `--protocol=tcp --host=${from.hostname} --port=${from.port} --user=${from.username}`,
      MYSQL_PWD: from.password,
      DATABASE: from.pathname.slice(1),
      RESTORED: to.pathname.slice(1),
    }),
  },
  {
    kind: postgresDatabases,
    section: '### PostgreSQL',
    program: 'pg_dump',
    variables: (from, to) => ({ DATABASE: from.href, RESTORED: to.href }),
  },
]

for (const { kind, section, program, variables } of BACKUPS) {
  const found = installed(program) !== null
  if (!found) missing(program, `backup and restore on ${kind.name}`, `${program} is not installed`)

  describe.skipIf(!kind.available || !found)(`a backup of ${kind.name}, as operations.md takes it`, () => {
    it('brings back what there was, and nothing since', { timeout: TIMEOUT_MS }, async () => {
      const directory = await temporaryDirectory()
      const [from, to] = [await kind.create(), await kind.create()]
      onTestFinished(async () => void (await Promise.all([from.drop(), to.drop()])))
      const keyring = join(directory, 'data', 'qscope.keyring.json')
      const env = {
        QSCOPE_KEYRING_FILE: keyring,
        QSCOPE_GRPC_LISTEN: '127.0.0.1:0',
        ...(kind === sqliteFiles ? {} : { QSCOPE_DATABASE_URL: from.url }),
      }
      await mkdir(dirname(keyring))
      expect((await run(directory, ['migrate', 'up'], env)).code).toBe(0)
      const made = await run(directory, ['client', 'create', '--admin', '--json'], env)
      const { client: registered, clientSecret } = JSON.parse(made.stdout)
      const client = { clientId: registered.clientId, method: { case: 'clientSecret' as const, value: clientSecret } }

      const text = await readFile(PAGE, 'utf8')
      const [backup, restore] = blocksOf(text.slice(text.indexOf(section)))
      const [BACKUP, KEYS] = [join(directory, 'backup'), join(directory, 'keys')]
      await Promise.all([mkdir(BACKUP), mkdir(KEYS)])
      const names = { BACKUP, KEYS, QSCOPE_KEYRING_FILE: keyring, ...variables(new URL(from.url), new URL(to.url)) }
      const type = async (block = { text: 'false' }) => await runBlocks([block], { variables: names, cwd: directory })

      const first = await serving(directory, env)
      const before = (await first.call(mintToken, { client })).token?.accessToken ?? ''
      await type(backup)
      const since = (await first.call(mintToken, { client })).token?.accessToken ?? ''
      const head = await run(directory, ['audit', 'head'], env)
      await first.stop()
      await type(restore)

      const restored = kind === sqliteFiles ? env : { ...env, QSCOPE_DATABASE_URL: to.url }
      const verified = await run(directory, ['audit', 'verify'], restored)
      expect(verified).toMatchObject({ code: 0, stdout: expect.stringContaining('intact') })
      expect((await run(directory, ['doctor'], restored)).code).toBe(0)
      await writeFile(join(directory, 'head.json'), head.stdout)
      const behind = await run(directory, ['audit', 'verify', '--head', 'head.json'], restored)
      expect(behind.code).toBe(1)
      const second = await serving(directory, restored)
      expect((await second.call(introspectToken, { client, token: before })).active).toBe(true)
      expect((await second.call(introspectToken, { client, token: since })).active).toBe(false)
      await second.stop()
    })
  })
}

async function serving(directory: string, env: Record<string, string>) {
  const server = qscope(directory, ['serve'], env)
  const [, address = ''] = await server.until(/listens on (\S+)/)
  const connection = connect(address)
  return {
    call: connection.call,
    stop: async () => {
      connection.close()
      server.child.kill('SIGTERM')
      expect((await server.ended).code).toBe(0)
    },
  }
}
