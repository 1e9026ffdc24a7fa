import { DatabaseError, UnfitHostError } from '../../core/database-error.ts'
import { diagnosticPairs } from '../../diagnostics.ts'
import type { RawConnection, SessionUse } from '../../server/driver.ts'
import { assertNoDeviations, deviationsOf, type SessionSetting } from '../../server/session-settings.ts'
import { assertInMajority, GROUP_VARIABLES, groupSettings, isGroupMember } from './group.ts'

/** The time limit for a row lock. After it, the transaction is retried. */
const LOCK_WAIT_SECONDS = 2

const on = (name: string): SessionSetting => ({ name, value: '1', shown: ['on'] })
const off = (name: string): SessionSetting => ({ name, value: '0', shown: ['off'] })
const exactly = (name: string, value: number | string): SessionSetting => ({
  name,
  value: typeof value === 'number' ? String(value) : `'${value}'`,
  shown: [String(value).toLowerCase()],
})

/** Every server has these settings. They are set before anything is read. */
const COMMON: readonly SessionSetting[] = [
  // Values are never truncated, and a backslash escapes, as the client assumes.
  {
    ...exactly(
      'sql_mode',
      'STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION',
    ),
    isList: true,
  },
  exactly('time_zone', '+00:00'),
  exactly('innodb_lock_wait_timeout', LOCK_WAIT_SECONDS),
  on('autocommit'),
  { name: 'completion_type', value: '0', shown: ['no_chain', '0'] },
  // Otherwise `where id is null` finds the last inserted row.
  off('sql_auto_is_null'),
  on('foreign_key_checks'),
  on('unique_checks'),
  // Otherwise updates without a key, and reads of many rows, are rejected.
  off('sql_safe_updates'),
  on('sql_big_selects'),
  { name: 'sql_select_limit', value: '18446744073709551615', shown: ['18446744073709551615'] },
  // Lists are sorted by whole values.
  exactly('max_sort_length', 1_024),
]

/** Set by `NAMES`, and by the statement for the isolation level. */
const BY_OTHER_STATEMENTS: readonly SessionSetting[] = [
  exactly('character_set_client', 'utf8mb4'),
  exactly('character_set_connection', 'utf8mb4'),
  exactly('character_set_results', 'utf8mb4'),
  exactly('collation_connection', 'utf8mb4_bin'),
  exactly('tx_isolation', 'READ-COMMITTED'),
  exactly('transaction_isolation', 'READ-COMMITTED'),
  off('tx_read_only'),
  off('transaction_read_only'),
]

/** Only some servers have these settings. They are set if their value differs. */
const OF_SOME: readonly SessionSetting[] = [
  // The client has its own time limit.
  { name: 'max_statement_time', value: '0', shown: ['0.000000', '0'] },
  { name: 'max_execution_time', value: '0', shown: ['0'] },
  on('check_constraint_checks'),
  off('sql_if_exists'),
  on('sql_log_bin'),
  { name: 'resultset_metadata', value: 'FULL', shown: ['full'] },
]

/** On a cluster node, reads wait for earlier commits of the others. */
const SYNC_WAIT: SessionSetting = {
  name: 'wsrep_sync_wait',
  value: '1',
  shown: ['1', '3', '5', '7', '9', '11', '13', '15'],
}

const ALL: readonly SessionSetting[] = [...COMMON, ...BY_OTHER_STATEMENTS, ...OF_SOME]
const SESSION_ID = 'pseudo_thread_id'
const READ_ONLY = ['read_only', 'super_read_only']
const READ_ONLY_SERVER = 'the database is read-only: it is a replica, or was set to read-only'
const WRITABLE: ReadonlySet<string> = new Set(['off', '0'])
const ASKED = [...ALL.map(({ name }) => name), SYNC_WAIT.name, 'wsrep_on', ...GROUP_VARIABLES, SESSION_ID, ...READ_ONLY]

/** Queries the settings of the session and the server. */
export const SESSION_VARIABLES = `show variables where variable_name in (${ASKED.map((name) => `'${name}'`).join(', ')})`

const ISOLATION = 'set session transaction isolation level read committed, read write'
/** Always sent, because a server can ignore the handshake's character set or change it afterwards. */
const NAMES = 'names utf8mb4 collate utf8mb4_bin'
/** For MariaDB's eyes only: a limit that its server sets could break the look at the settings off. */
const NO_TIME_LIMIT = '/*M! max_statement_time = 0, */'

/** Sets up a session and reads its settings back. The server's `init_connect`, options, defaults and poolers can change them. */
export async function setUpSession(connection: Pick<RawConnection, 'query'>, use: SessionUse): Promise<string> {
  await connection.query(ISOLATION)
  await connection.query(`set ${NAMES}, ${NO_TIME_LIMIT} ${assignments(COMMON)}`)
  const reported = await settingsOf(connection)
  if (isReadOnly(reported)) throw new DatabaseError('unavailable', READ_ONLY_SERVER)
  const isNode = reported.get('wsrep_on')?.toLowerCase() === 'on'
  if (isNode) await assertNodeReady(connection)
  if (isGroupMember(reported)) await assertInMajority(connection, reported)
  const deviations = deviationsOf(settingsFor(reported, use), reported)
  const session = reported.get(SESSION_ID) ?? ''
  if (deviations.length === 0) return session
  const settable = deviations.map(({ setting }) => setting).filter((setting) => !BY_OTHER_STATEMENTS.includes(setting))
  if (settable.length > 0) await connection.query(`set session ${assignments(settable)}`)
  await verifySession(connection, use)
  return session
}

/** Throws if the session's settings changed, the host does not take writes, or it is not in its group's majority. */
export async function verifySession(connection: Pick<RawConnection, 'query'>, use: SessionUse): Promise<void> {
  const reported = await settingsOf(connection)
  if (isReadOnly(reported)) throw new UnfitHostError(READ_ONLY_SERVER)
  if (isGroupMember(reported)) await assertInMajority(connection, reported)
  assertNoDeviations(deviationsOf(settingsFor(reported, use), reported))
}

/** MariaDB has further read-only values than ON. */
function isReadOnly(reported: ReadonlyMap<string, string>): boolean {
  return READ_ONLY.some((name) => !WRITABLE.has(reported.get(name)?.toLowerCase() ?? 'off'))
}

/** The settings that apply to this server. */
export function settingsFor(reported: ReadonlyMap<string, string>, use: SessionUse): readonly SessionSetting[] {
  if (reported.get('wsrep_on')?.toLowerCase() === 'on') return [...ALL, SYNC_WAIT]
  return [...ALL, ...groupSettings(reported, use)]
}

/** A node that has lost the others would not answer at all. */
async function assertNodeReady(connection: Pick<RawConnection, 'query'>): Promise<void> {
  const { rows } = await connection.query("show global status where variable_name = 'wsrep_ready' and value = 'ON'")
  if (rows.length > 0) return
  throw new DatabaseError('unavailable', 'this node of the cluster is not ready: it has no quorum, or is joining')
}

async function settingsOf(connection: Pick<RawConnection, 'query'>): Promise<ReadonlyMap<string, string>> {
  return await diagnosticPairs(({ sql }) => connection.query(sql), SESSION_VARIABLES)
}

function assignments(settings: readonly SessionSetting[]): string {
  return settings.map(({ name, value }) => `${name} = ${value}`).join(', ')
}
