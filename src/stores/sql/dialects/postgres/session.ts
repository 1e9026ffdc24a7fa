import { DatabaseError } from '../../core/database-error.ts'
import { diagnosticRow } from '../../diagnostics.ts'
import type { RawConnection } from '../../server/driver.ts'
import { assertNoDeviations, deviationsOf, type SessionSetting } from '../../server/session-settings.ts'

const exactly = (name: string, value: string): SessionSetting => ({
  name,
  value: `'${value}'`,
  shown: [value.toLowerCase()],
})

/** What each relative of PostgreSQL keeps to: names arrive as they were sent, and strings mean what they say. */
const OF_ALL: readonly SessionSetting[] = [
  { name: 'client_encoding', value: "'UTF8'", shown: ['utf8', 'utf-8', 'unicode'] },
  exactly('standard_conforming_strings', 'on'),
  exactly('bytea_output', 'hex'),
  exactly('timezone', 'UTC'),
  exactly('datestyle', 'ISO, MDY'),
  exactly('intervalstyle', 'postgres'),
  // A transaction whose owner is gone does not hold its locks for ever.
  { name: 'idle_in_transaction_session_timeout', value: "'60s'", shown: ['1min', '60s', '60000'] },
  // A row lock is waited for as long as on other databases.
  { name: 'lock_timeout', value: "'2s'", shown: ['2s', '2000'] },
  // The client has a limit of its own.
  { name: 'statement_timeout', value: '0', shown: ['0', '0s'] },
]

/** CockroachDB keeps to SERIALIZABLE, lets what conflicts run again, and does not know the others. */
const OF_POSTGRES: readonly SessionSetting[] = [
  exactly('default_transaction_isolation', 'read committed'),
  exactly('default_transaction_deferrable', 'off'),
  exactly('transform_null_equals', 'off'),
  // What a policy would hide from this user is an error, not an absence.
  exactly('row_security', 'off'),
]

/** Of the session that is there already, or only for administrators to change. */
const NOT_SET: readonly SessionSetting[] = [exactly('session_replication_role', 'origin')]

/** `true`: NULL instead of an error for a setting that a relative of PostgreSQL does not have. */
const shown = (name: string) => `current_setting('${name}', true) as ${name}`
const ASKED = [...OF_ALL, ...OF_POSTGRES, ...NOT_SET].map(({ name }) => shown(name)).join(', ')
const SERVER = `select version() as version, pg_backend_pid() as session, ${shown('server_encoding')}, ${shown('transaction_read_only')},
  (select string_agg(quote_ident(name), ', ' order by place)
   from unnest(current_schemas(false)) with ordinality as schemas (name, place)) as schemas`
export const SESSION_SETTINGS = `select version() as version, ${ASKED}`

/**
 * Sets a session up, and reads back that it is so: defaults of the server, the
 * database and the role, options and poolers come in between.
 */
export async function setUpSession(connection: Pick<RawConnection, 'query'>): Promise<string> {
  const server = await diagnosticRow(({ sql }) => connection.query(sql), SERVER)
  if (server.get('transaction_read_only') === 'on') {
    throw new DatabaseError('unavailable', 'the database is read-only: it is a replica, or was set so')
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
    // Names mean the tables of these schemas, never temporary ones of the same name.
    ...(path === undefined || isCockroach(server) ? [] : [`set session search_path = ${path}, pg_temp`]),
  ]
  await connection.query(statements.join('; '))
  await verifySession(connection)
  return server.get('session') ?? ''
}

/** Throws unless the session still is as it was set up. */
export async function verifySession(connection: Pick<RawConnection, 'query'>): Promise<void> {
  const reported = await diagnosticRow(({ sql }) => connection.query(sql), SESSION_SETTINGS)
  assertNoDeviations(deviationsOf(settingsFor(reported), reported))
}

/** The settings that count on this server. */
export function settingsFor(reported: ReadonlyMap<string, string>): readonly SessionSetting[] {
  return isCockroach(reported) ? OF_ALL : [...OF_ALL, ...OF_POSTGRES, ...NOT_SET]
}

function isCockroach(reported: ReadonlyMap<string, string>): boolean {
  return reported.get('version')?.startsWith('CockroachDB') === true
}
