import { DatabaseError } from '../../core/database-error.ts'
import { diagnosticRow } from '../../diagnostics.ts'
import type { RawConnection } from '../../server/driver.ts'
import { assertNoDeviations, deviationsOf, type SessionSetting } from '../../server/session-settings.ts'

const exactly = (name: string, value: string): SessionSetting => ({
  name,
  value: `'${value}'`,
  shown: [value.toLowerCase()],
})

/** Settings of all compatible servers: characters arrive as they were sent, and string literals have the standard meaning. */
const OF_ALL: readonly SessionSetting[] = [
  { name: 'client_encoding', value: "'UTF8'", shown: ['utf8', 'utf-8', 'unicode'] },
  exactly('standard_conforming_strings', 'on'),
  exactly('bytea_output', 'hex'),
  exactly('timezone', 'UTC'),
  exactly('datestyle', 'ISO, MDY'),
  exactly('intervalstyle', 'postgres'),
  // A transaction whose client is gone must not hold its locks forever.
  { name: 'idle_in_transaction_session_timeout', value: "'60s'", shown: ['1min', '60s', '60000'] },
  // The same time limit for a row lock as on other databases.
  { name: 'lock_timeout', value: "'2s'", shown: ['2s', '2000'] },
  // The client has its own time limit.
  { name: 'statement_timeout', value: '0', shown: ['0', '0s'] },
]

/** CockroachDB uses SERIALIZABLE, retries conflicts itself, and does not have the other settings. */
const OF_POSTGRES: readonly SessionSetting[] = [
  exactly('default_transaction_isolation', 'read committed'),
  exactly('default_transaction_deferrable', 'off'),
  exactly('transform_null_equals', 'off'),
  // A policy that would hide rows from this user causes an error instead.
  exactly('row_security', 'off'),
]

/** Fixed for a session, or changed only by administrators. */
const NOT_SET: readonly SessionSetting[] = [exactly('session_replication_role', 'origin')]

/** With `true`, an unknown setting is NULL instead of an error, for servers that are only compatible with PostgreSQL. */
const shown = (name: string) => `current_setting('${name}', true) as ${name}`
const ASKED = [...OF_ALL, ...OF_POSTGRES, ...NOT_SET].map(({ name }) => shown(name)).join(', ')
const SERVER = `select version() as version, pg_backend_pid() as session, ${shown('server_encoding')}, ${shown('transaction_read_only')},
  (select string_agg(quote_ident(name), ', ' order by place)
   from unnest(current_schemas(false)) with ordinality as schemas (name, place)) as schemas`
export const SESSION_SETTINGS = `select version() as version, ${ASKED}`

/**
 * Sets up a session and reads its settings back. Defaults of the server, the database and the role, options and poolers can
 * change them.
 */
export async function setUpSession(connection: Pick<RawConnection, 'query'>): Promise<string> {
  const server = await diagnosticRow(({ sql }) => connection.query(sql), SERVER)
  if (server.get('transaction_read_only') === 'on') {
    throw new DatabaseError('unavailable', 'the database is read-only: it is a replica, or was set to read-only')
  }
  const encoding = server.get('server_encoding') ?? 'unknown'
  if (!/^UTF-?8$/i.test(encoding)) {
    throw new DatabaseError(
      'unavailable',
      `the database has the encoding ${encoding}, in which not every name can be stored: create it with encoding UTF8`,
    )
  }
  const settings = settingsFor(server).filter((setting) => !NOT_SET.includes(setting))
  const path = server.get('schemas')
  const statements = [
    ...settings.map(({ name, value }) => `set session ${name} = ${value}`),
    // Names must resolve to tables of these schemas, never to temporary tables.
    ...(path === undefined || isCockroach(server) ? [] : [`set session search_path = ${path}, pg_temp`]),
  ]
  await connection.query(statements.join('; '))
  await verifySession(connection)
  return server.get('session') ?? ''
}

/** Throws if the session's settings changed. */
export async function verifySession(connection: Pick<RawConnection, 'query'>): Promise<void> {
  const reported = await diagnosticRow(({ sql }) => connection.query(sql), SESSION_SETTINGS)
  assertNoDeviations(deviationsOf(settingsFor(reported), reported))
}

/** The settings that apply to this server. */
export function settingsFor(reported: ReadonlyMap<string, string>): readonly SessionSetting[] {
  return isCockroach(reported) ? OF_ALL : [...OF_ALL, ...OF_POSTGRES, ...NOT_SET]
}

function isCockroach(reported: ReadonlyMap<string, string>): boolean {
  return reported.get('version')?.startsWith('CockroachDB') === true
}
