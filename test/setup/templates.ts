import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openMigrations } from '../../src/stores/open.ts'
import { type DatabaseName, DIALECTS, isEmbedded } from './database-names.ts'
import { dropLibsqlDatabase, isOwn, makeLibsqlDatabase } from './libsql-databases.ts'
import { runSql } from './run-sql.ts'
import { firstColumn, MYSQL, POSTGRES, urlOf } from './server-databases.ts'

/** The databases from which suites copy the schema. A migration for each suite would take longer than most suites. */
export interface Templates {
  /** The path of a file. */
  readonly sqlite: string
  readonly libsql: string
  /** The statements that create a copy. `null`: there is no server. */
  readonly mysql: readonly string[] | null
  readonly mariadb: readonly string[] | null
  /** The name of a database. `null`: there is no server. */
  readonly postgres: string | null
  /** The same. `null` also for a server with a single database. */
  readonly 'libsql-remote': string | null
}

const nothing = () => undefined
const QUIET = { debug: nothing, info: nothing, warn: nothing, error: nothing }

interface Template {
  readonly template: Templates[DatabaseName]
  remove(): Promise<void>
}

/** Migrates a database of one kind. `null` if its server is missing. */
export async function makeTemplate(kind: DatabaseName, server: string | null): Promise<Template> {
  if (isEmbedded(kind)) return await makeFile(kind)
  if (server === null) return { template: null, remove: async () => undefined }
  if (kind === 'libsql-remote') return await makeOnLibsql(server)
  const sql = DIALECTS[kind] === 'postgres' ? POSTGRES : MYSQL
  const name = `qscope_template_${randomBytes(6).toString('hex')}`
  await sql.create(server, name)
  await migrate(urlOf(server, name))
  return {
    template: kind === 'postgres' ? name : await copyStatements(server, name),
    remove: async () => void (await runSql(server, sql.drop(name))),
  }
}

async function makeFile(scheme: string): Promise<Template> {
  const directory = mkdtempSync(join(tmpdir(), 'qscope-template-'))
  const file = join(directory, 'qscope.db')
  await migrate(`${scheme}:${file}`)
  return { template: file, remove: async () => rmSync(directory, { recursive: true, force: true }) }
}

async function makeOnLibsql(server: string): Promise<Template> {
  if (!(await isOwn(server))) return { template: null, remove: async () => undefined }
  const name = `qscope_template_${randomBytes(6).toString('hex')}`
  await migrate(await makeLibsqlDatabase(server, name))
  return { template: name, remove: () => dropLibsqlDatabase(server, name) }
}

export async function migrate(url: string): Promise<void> {
  const migrations = await openMigrations(url, QUIET)
  await migrations.up()
  await migrations.close()
}

/** MySQL cannot copy databases. The tables are created from its own statements, and the rows are copied from the template. */
async function copyStatements(server: string, template: string): Promise<string[]> {
  const ask = (sql: string) => runSql(urlOf(server, template), sql)
  const statements = ['set foreign_key_checks = 0']
  const tables = firstColumn(await ask(MYSQL.tables))
  for (const table of tables) {
    const [made] = await ask(`show create table ${table}`)
    statements.push(String(made?.['Create Table']), `insert into ${table} select * from ${template}.${table}`)
  }
  for (const trigger of firstColumn(await ask('show triggers'))) {
    const [made] = await ask(`show create trigger ${trigger}`)
    statements.push(String(made?.['SQL Original Statement']))
  }
  return statements
}
