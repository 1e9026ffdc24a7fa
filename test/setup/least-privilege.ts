import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { blocksOf } from '../docs/page.ts'
import { runSql } from './run-sql.ts'

const PAGE = join(resolve(import.meta.dirname, '..', '..'), 'docs', 'databases.md')

/** A database with the two users that the page on databases describes. */
export interface SharedDatabase {
  readonly ownerUrl: string
  readonly serverUrl: string
  readonly adminUrl: string
  /** What the page has done after a migration. */
  grantServer(): Promise<void>
  drop(): Promise<void>
}

interface Kind {
  readonly heading: string
  /** Who runs each of the page's blocks, and where. */
  readonly before: readonly ('server' | 'database')[]
  readonly after: 'adminUrl' | 'ownerUrl'
  readonly drop: (name: string) => readonly string[]
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

/** Runs what the page says, with names of its own, on the server whose administrator's URL is given. */
export async function createSharedDatabase(administrator: string): Promise<SharedDatabase> {
  const kind = administrator.startsWith('mysql:') ? MYSQL : POSTGRES
  const name = `qscope_${randomBytes(6).toString('hex')}`
  const urlOf = (user: string | null, database = name) => {
    const url = new URL(administrator)
    if (user !== null) Object.assign(url, { username: `${name}_${user}`, password: `${user}-password` })
    url.pathname = `/${database}`
    return url.href
  }
  const urls = { adminUrl: urlOf(null), ownerUrl: urlOf('owner'), serverUrl: urlOf('server') }
  const blocks = statementBlocks(kind.heading, name)
  const [afterwards = []] = blocks.slice(kind.before.length)
  for (const [index, where] of kind.before.entries()) {
    const url = where === 'server' ? administrator : urls.adminUrl
    for (const statement of blocks[index] ?? []) await runSql(url, statement)
  }
  return {
    ...urls,
    grantServer: async () => {
      for (const statement of afterwards) await runSql(urls[kind.after], statement)
    },
    drop: async () => {
      for (const statement of kind.drop(name)) await runSql(administrator, statement)
    },
  }
}

/** The statements of each SQL block below a heading, in a database and for users of another name. */
function statementBlocks(heading: string, name: string): readonly (readonly string[])[] {
  const [, below = ''] = readFileSync(PAGE, 'utf8').split(`${heading}\n`)
  const [section = ''] = below.split(/^##/m)
  return blocksOf(section).map(({ text }) =>
    text
      .replaceAll(/\bqscope\b/g, name)
      .replaceAll(/\bqscope_(owner|server)\b/g, `${name}_$1`)
      .replaceAll(/^--.*$/gm, '')
      .split(';')
      .map((statement) => statement.trim())
      .filter((statement) => statement !== ''),
  )
}
