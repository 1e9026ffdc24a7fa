import Sqlite from 'better-sqlite3'

/** The part of oidc-provider's store interface for client credentials and introspection. */
export interface OidcAdapter {
  upsert(id: string, payload: object, expiresIn: number): Promise<void>
  find(id: string): Promise<object | undefined>
  destroy(id: string): Promise<void>
}

/** A durable store in a few lines, with one flushed commit for each token. */
export function oidcSqliteAdapter(file: string): new (model: string) => OidcAdapter {
  const database = new Sqlite(file)
  database.pragma('journal_mode = wal')
  database.pragma('synchronous = full')
  database.exec(`create table if not exists oidc
    (model text, id text, payload text not null, expires_at integer, primary key (model, id)) without rowid`)
  const upsert = database.prepare('insert or replace into oidc values (?, ?, ?, ?)')
  const find = database.prepare<[string, string], { readonly payload: string }>(
    'select payload from oidc where model = ? and id = ?',
  )
  const destroy = database.prepare('delete from oidc where model = ? and id = ?')
  return class implements OidcAdapter {
    readonly #model: string

    constructor(model: string) {
      this.#model = model
    }

    async upsert(id: string, payload: object, expiresIn: number): Promise<void> {
      upsert.run(this.#model, id, JSON.stringify(payload), Date.now() + expiresIn * 1_000)
    }

    async find(id: string): Promise<object | undefined> {
      const row = find.get(this.#model, id)
      return row === undefined ? undefined : (JSON.parse(row.payload) as object)
    }

    async destroy(id: string): Promise<void> {
      destroy.run(this.#model, id)
    }
  }
}
