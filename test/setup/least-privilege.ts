import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { blocksOf } from '../docs/page.ts'
import { runSql } from './run-sql.ts'

const PAGE = join(resolve(import.meta.dirname, '..', '..'), 'docs', 'databases.md')

/** A database with the two users of the databases page. */
interface DatabaseOfUsers {
  readonly ownerUrl: string
  readonly serverUrl: string
  readonly adminUrl: string
  /** The statements of the page to run after a migration. */
  grantServer(): Promise<void>
}

export interface SharedDatabase extends DatabaseOfUsers {
  /** A further database for the same users with the same grants. Removed with the first. */
  createAnother(): Promise<DatabaseOfUsers>
  drop(): Promise<void>
}

interface Kind {
  readonly heading: string
  /** The user and database of each of the page's blocks. */
  readonly before: readonly ('server' | 'database')[]
  readonly after: 'adminUrl' | 'ownerUrl'
  /** The database comes first. */
  readonly drop: (name: string) => readonly [string, ...string[]]
}

const MYSQL: Kind = {
  heading: '### MySQL and MariaDB',
  before: ['server'],
  after: 'adminUrl',
  drop: (name) => [`drop database ${name}`, `drop user '${name}_owner'@'%'`, `drop user '${name}_server'@'%'`],
}

const POSTGRES: Kind = {
  heading: '### PostgreSQL',
  before: ['server', 'database'],
  after: 'ownerUrl',
  drop: (name) => [`drop database ${name} with (force)`, `drop role ${name}_owner`, `drop role ${name}_server`],
}

/** Runs the page's statements with other names, on the server of this administrator URL. */
export async function createSharedDatabase(administrator: string): Promise<SharedDatabase> {
  const kind = administrator.startsWith('mysql:') ? MYSQL : POSTGRES
  const name = `qscope_${randomBytes(6).toString('hex')}`
  const others: string[] = []
  const create = async (database: string): Promise<DatabaseOfUsers> => {
    const urlOf = (user: string | null) => {
      const url = new URL(administrator)
      if (user !== null) Object.assign(url, { username: `${name}_${user}`, password: `${user}-password` })
      url.pathname = `/${database}`
      return url.href
    }
    const urls = { adminUrl: urlOf(null), ownerUrl: urlOf('owner'), serverUrl: urlOf('server') }
    const blocks = statementBlocks(kind.heading, { database, users: name })
    const [afterwards = []] = blocks.slice(kind.before.length)
    for (const [index, where] of kind.before.entries()) {
      const url = where === 'server' ? administrator : urls.adminUrl
      for (const statement of blocks[index] ?? []) {
        if (database === name || !ABOUT_USERS.test(statement)) await runSql(url, statement)
      }
    }
    return {
      ...urls,
      grantServer: async () => {
        for (const statement of afterwards) await runSql(urls[kind.after], statement)
      },
    }
  }
  return {
    ...(await create(name)),
    createAnother: async () => {
      const other = `${name}_${others.length + 2}`
      others.push(other)
      return await create(other)
    },
    drop: async () => {
      for (const other of others) await runSql(administrator, kind.drop(other)[0])
      for (const statement of kind.drop(name)) await runSql(administrator, statement)
    },
  }
}

/** Statements that run once for all databases of the users. */
const ABOUT_USERS = /^(?:create (?:user|role)|grant \w+ to current_user)\b/

/** The statements of each SQL block below a heading, with the names of another database and users. */
function statementBlocks(
  heading: string,
  { database, users }: { readonly database: string; readonly users: string },
): readonly (readonly string[])[] {
  const [, below = ''] = readFileSync(PAGE, 'utf8').split(`${heading}\n`)
  const [section = ''] = below.split(/^##/m)
  return blocksOf(section).map(({ text }) =>
    text
      .replaceAll(/\bqscope\b/g, database)
      .replaceAll(/\bqscope_(owner|server)\b/g, `${users}_$1`)
      .replaceAll(/^--.*$/gm, '')
      .split(';')
      .map((statement) => statement.trim())
      .filter((statement) => statement !== ''),
  )
}
