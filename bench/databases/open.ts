import type { DatabaseName } from '../cells.ts'
import { NotAvailable } from '../not-available.ts'
import type { Abilities } from '../server/abilities.ts'
import type { BenchDatabase } from './bench-database.ts'
import { openMariaDb, openMysql } from './mysql.ts'
import { openPostgres } from './postgres.ts'
import { openSqlite } from './sqlite.ts'

const OPEN = Object.freeze({
  sqlite: openSqlite,
  mysql: openMysql,
  mariadb: openMariaDb,
  postgres: openPostgres,
} satisfies Record<DatabaseName, (root: string) => Promise<BenchDatabase>>)

/** The databases of a run, each started on demand. */
export class Databases {
  readonly #root: string
  readonly #abilities: Abilities
  readonly #opened = new Map<DatabaseName, Promise<BenchDatabase>>()

  constructor(root: string, abilities: Abilities) {
    this.#root = root
    this.#abilities = abilities
  }

  /** Throws `NotAvailable` if the database is not installed, or the server does not support it. */
  async open(name: DatabaseName): Promise<BenchDatabase> {
    if (name === 'postgres' && !this.#abilities.postgres) throw new NotAvailable('this server knows no PostgreSQL')
    const opened = this.#opened.get(name) ?? OPEN[name](this.#root)
    this.#opened.set(name, opened)
    return await opened
  }

  async stop(): Promise<void> {
    for (const opened of await Promise.allSettled(this.#opened.values())) {
      if (opened.status === 'fulfilled') await opened.value.stop()
    }
  }
}
