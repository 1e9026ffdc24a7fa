import { existsSync, statSync, writeFileSync } from 'node:fs'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { delimiter, dirname, join, resolve } from 'node:path'
import { describe, expect, inject, it, onTestFinished } from 'vitest'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { blocksOf } from '../docs/page.ts'
import { runBlocks } from '../docs/shell.ts'
import { connect } from '../setup/client.ts'
import { installed } from '../setup/installed.ts'
import { createSharedDatabase } from '../setup/least-privilege.ts'
import { mysqlProgram } from '../setup/mysql.ts'
import { missing } from '../setup/requirement.ts'
import { qscope, run, temporaryDirectory } from './process.ts'

const PAGE = resolve(import.meta.dirname, '..', '..', 'docs', 'operations.md')
const { introspectToken, mintToken } = TokenService.method
const TIMEOUT_MS = 300_000

/** The variables of a database for its two users, and of the database to restore into. */
interface Databases {
  readonly owner: Readonly<Record<string, string>>
  readonly server: Readonly<Record<string, string>>
  readonly restored: Readonly<Record<string, string>>
  /** Runs the grants of databases.md, after a migration and after a restore. */
  grantServer(): Promise<void>
  grantServerOfRestored(): Promise<void>
  /** The values of the variables in the blocks; files are written into the home folder of the user. */
  variables(home: string): Record<string, string>
}

/** A backup of docs/operations.md: its section, and the program that it needs. */
interface Backup {
  readonly name: string
  readonly available: boolean
  readonly section: string
  /** The program that dumps, and its path; `null` if it is not installed. */
  readonly tool: string
  readonly program: string | null
  /** Further options of `qscope migrate up`. */
  readonly migrate?: readonly string[]
  readonly create: () => Promise<Databases>
}

const BACKUPS: readonly Backup[] = [
  {
    name: 'sqlite',
    available: true,
    section: '### SQLite',
    tool: 'sqlite3',
    program: installed('sqlite3'),
    create: async () => ({
      owner: {},
      server: {},
      restored: {},
      grantServer: async () => undefined,
      grantServerOfRestored: async () => undefined,
      variables: () => ({}),
    }),
  },
  {
    name: 'mysql',
    available: inject('mysqlUrl') !== null,
    section: '### MySQL',
    tool: 'mysqldump',
    program: mysqlProgram('mysqldump'),
    // With its binary log, which is on by default, the documented owner cannot create triggers.
    migrate: ['--audit=grants'],
    create: () => ofDocumentedUsers(inject('mysqlUrl'), connectionOfMysql),
  },
  {
    name: 'mariadb',
    available: inject('mariadbUrl') !== null,
    section: '### MariaDB',
    tool: 'mariadb-dump',
    program: installed('mariadb-dump'),
    create: () => ofDocumentedUsers(inject('mariadbUrl'), connectionOfMysql),
  },
  {
    name: 'postgres',
    available: inject('postgresUrl') !== null,
    section: '### PostgreSQL',
    tool: 'pg_dump',
    program: installed('pg_dump'),
    create: () => ofDocumentedUsers(inject('postgresUrl'), (from, to) => ({ DATABASE: from.href, RESTORED: to.href })),
  },
]

function connectionOfMysql(from: URL, to: URL, home: string): Record<string, string> {
  writeFileSync(join(home, '.my.cnf'), `[client]\npassword=${from.password}\n`, { mode: 0o600 })
  return {
    CONNECTION: `--protocol=tcp --host=${from.hostname} --port=${from.port} --user=${from.username}`,
    DATABASE: from.pathname.slice(1),
    RESTORED: to.pathname.slice(1),
  }
}

/** Users, grants and databases as in docs/databases.md; the owner dumps and restores. */
async function ofDocumentedUsers(
  administrator: string | null,
  variables: (from: URL, to: URL, home: string) => Record<string, string>,
): Promise<Databases> {
  const database = await createSharedDatabase(administrator ?? '')
  onTestFinished(() => database.drop())
  const restored = await database.createAnother()
  return {
    owner: { QSCOPE_DATABASE_URL: database.ownerUrl },
    server: { QSCOPE_DATABASE_URL: database.serverUrl },
    restored: { QSCOPE_DATABASE_URL: restored.serverUrl },
    grantServer: () => database.grantServer(),
    grantServerOfRestored: () => restored.grantServer(),
    variables: (home) => variables(new URL(database.ownerUrl), new URL(restored.ownerUrl), home),
  }
}

for (const { name, available, section, tool, program, migrate = [], create } of BACKUPS) {
  const found = program !== null
  if (!found) missing(tool, `backup and restore on ${name}`, `${tool} is not installed`)

  describe.skipIf(!available || !found)(`a backup of ${name} with the commands of operations.md`, () => {
    it('restores the state of the backup without later changes, for the documented users', {
      timeout: TIMEOUT_MS,
    }, async () => {
      const directory = await temporaryDirectory()
      const { owner, server, restored, grantServer, grantServerOfRestored, variables } = await create()
      const migrated = await run(directory, ['migrate', 'up', ...migrate], owner)
      expect(migrated).toMatchObject({ code: 0, stderr: '' })
      await grantServer()
      const keyring = join(directory, 'data', 'qscope.keyring.json')
      expect(existsSync(keyring)).toBe(false)
      const common = { QSCOPE_KEYRING_FILE: keyring, QSCOPE_GRPC_LISTEN: '127.0.0.1:0' }
      const env = { ...common, ...server }
      const made = await run(directory, ['client', 'create', '--admin', '--json'], env)
      const { client: registered, clientSecret } = JSON.parse(made.stdout)
      const client = { clientId: registered.clientId, method: { case: 'clientSecret' as const, value: clientSecret } }

      const text = await readFile(PAGE, 'utf8')
      const [backup, restore] = blocksOf(text.slice(text.indexOf(section)))
      const [BACKUP, KEYS] = [join(directory, 'backup'), join(directory, 'keys')]
      await Promise.all([mkdir(BACKUP), mkdir(KEYS)])
      const PATH = [dirname(program ?? ''), process.env['PATH']].join(delimiter)
      const names = { PATH, HOME: directory, BACKUP, KEYS, QSCOPE_KEYRING_FILE: keyring, ...variables(directory) }
      const type = async (block = { text: 'false' }) => await runBlocks([block], { variables: names, cwd: directory })

      const first = await serving(directory, env)
      const before = (await first.call(mintToken, { client })).token?.accessToken ?? ''
      await type(backup)
      for (const folder of [BACKUP, KEYS]) {
        for (const file of await readdir(folder)) {
          expect([file, statSync(join(folder, file)).mode & 0o777]).toEqual([file, 0o600])
        }
      }
      const since = (await first.call(mintToken, { client })).token?.accessToken ?? ''
      const head = await run(directory, ['audit', 'head'], env)
      await first.stop()
      await type(restore)
      await grantServerOfRestored()

      const again = { ...common, ...restored }
      const verified = await run(directory, ['audit', 'verify'], again)
      expect(verified).toMatchObject({ code: 0, stdout: expect.stringContaining('intact') })
      const examined = await run(directory, ['doctor', '--json'], again)
      expect(examined.code).toBe(0)
      const { findings } = JSON.parse(examined.stdout)
      expect(findings).toContainEqual(expect.objectContaining({ check: 'audit log', state: 'ok' }))
      if (name !== 'sqlite') {
        for (const check of ['database missing_privileges', 'database privileges']) {
          expect(findings).toContainEqual(expect.objectContaining({ check, state: 'ok' }))
        }
      }
      await writeFile(join(directory, 'head.json'), head.stdout)
      const behind = await run(directory, ['audit', 'verify', '--head', 'head.json'], again)
      expect(behind.code).toBe(1)
      const second = await serving(directory, again)
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
