import { DatabaseError, type DatabaseErrorKind, UnfitHostError } from '../../core/database-error.ts'
import { LOG_IN_REFUSED, SOCKET_CODES, socketErrorMessage } from '../../server/open-connection.ts'

/** The driver's code. */
const CONNECTION_LOST = 'PROTOCOL_CONNECTION_LOST'
const UNKNOWN_PLUGIN = 'AUTH_SWITCH_PLUGIN_ERROR'

interface Meaning {
  readonly kind: DatabaseErrorKind
  /** Precedes the server's message. `''`: none. */
  readonly prefix: string
  readonly codes: readonly number[]
  /** Whether it applies to all connections to this host. */
  readonly ofHost?: true
}

/**
 * The classes of server errors if no commit was sent. Nothing of the transaction is then written.
 *
 * @see https://dev.mysql.com/doc/mysql-errors/8.0/en/server-error-reference.html
 * @see https://mariadb.com/kb/en/mariadb-error-code-reference/
 */
const MEANINGS: readonly Meaning[] = [
  // ER_DUP_KEY, ER_DUP_ENTRY, ER_DUP_UNIQUE, ER_DUP_ENTRY_WITH_KEY_NAME
  { kind: 'duplicate', prefix: '', codes: [1022, 1062, 1169, 1586] },
  {
    // Retried immediately. ER_CHECKREAD, ER_LOCK_WAIT_TIMEOUT, ER_LOCK_DEADLOCK (on Galera also a conflict with another node),
    // ER_TABLE_DEF_CHANGED, ER_XA_RBDEADLOCK, ER_TRANSACTION_ROLLBACK_DURING_COMMIT (the same on Group Replication),
    // ER_LOCK_NOWAIT
    kind: 'conflict',
    prefix: '',
    codes: [1020, 1205, 1213, 1412, 1614, 3101, 3572],
  },
  {
    // Another host takes writes, or this one after a switchover. ER_OPTION_PREVENTS_STATEMENT (--read-only, --super-read-only),
    // ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION, ER_READ_ONLY_MODE, ER_INNODB_READ_ONLY
    kind: 'lost',
    prefix: 'the database is read-only: ',
    codes: [1290, 1792, 1836, 1874],
    ofHost: true,
  },
  {
    // Connection errors. ER_UNKNOWN_COM_ERROR (a cluster node without a quorum, or joining), ER_SERVER_SHUTDOWN,
    // ER_NET_READ_ERROR_FROM_PIPE to ER_NET_WRITE_INTERRUPTED, ER_CONNECTION_KILLED, ER_SERVER_OFFLINE_MODE,
    // ER_SESSION_WAS_KILLED, ER_CLIENT_INTERACTION_TIMEOUT
    kind: 'lost',
    prefix: 'the database server does not answer: ',
    codes: [1047, 1053, 1154, 1155, 1156, 1157, 1158, 1159, 1160, 1161, 1927, 3032, 3169, 4031],
  },
  {
    // A server that is leaving its group or is not a member. ER_RUN_HOOK_ERROR (before the commit),
    // ER_GRP_TRX_CONSISTENCY_NOT_ALLOWED, ER_GRP_TRX_CONSISTENCY_BEFORE, ER_GRP_TRX_CONSISTENCY_AFTER_ON_TRX_BEGIN,
    // ER_GRP_TRX_CONSISTENCY_BEGIN_NOT_ALLOWED
    kind: 'lost',
    prefix: 'this member of the group does not take part: ',
    codes: [3100, 3796, 3797, 3798, 3799],
    ofHost: true,
  },
  {
    // ER_NEW_ABORTING_CONNECTION: the server's init_connect failed.
    kind: 'lost',
    prefix: 'the database server ends each new session (correct its init_connect): ',
    codes: [1184],
  },
  {
    // Prepared statements are missing or too many. Closing the connection frees those that it prepared.
    // ER_UNKNOWN_STMT_HANDLER, ER_MAX_PREPARED_STMT_COUNT_REACHED, ER_NEED_REPREPARE
    kind: 'lost',
    prefix: 'the database accepts no more prepared statements: ',
    codes: [1243, 1461, 1615],
  },
  {
    // ER_DISK_FULL, ER_ERROR_ON_WRITE, ER_RECORD_FILE_FULL, ER_TRANS_CACHE_FULL
    kind: 'unavailable',
    prefix: 'there is no space left for the database: ',
    codes: [1021, 1026, 1114, 1197],
  },
  {
    // Resources of the machine. ER_CANT_LOCK, ER_CANT_OPEN_FILE, ER_ERROR_ON_READ, ER_OUTOFMEMORY, ER_OUT_OF_SORTMEMORY,
    // ER_CON_COUNT_ERROR, ER_OUT_OF_RESOURCES, ER_STACK_OVERRUN, ER_CANT_CREATE_THREAD, ER_STACK_OVERRUN_NEED_MORE,
    // ER_BINLOG_LOGGING_IMPOSSIBLE
    kind: 'unavailable',
    prefix: 'the database has no resources left: ',
    codes: [1015, 1016, 1024, 1037, 1038, 1040, 1041, 1119, 1135, 1436, 1598],
  },
  {
    // Configured limits and quotas. ER_HOST_IS_BLOCKED, ER_TOO_MANY_USER_CONNECTIONS, ER_LOCK_TABLE_FULL,
    // ER_USER_LIMIT_REACHED, ER_TOO_MANY_CONCURRENT_TRXS, ER_TOO_BIG_SELECT
    kind: 'unavailable',
    prefix: 'a limit of the database is reached: ',
    codes: [1104, 1129, 1203, 1206, 1226, 1637],
  },
  {
    // Interrupted. ER_FILSORT_ABORT, ER_QUERY_INTERRUPTED, ER_STATEMENT_TIMEOUT (MariaDB), ER_QUERY_TIMEOUT (MySQL)
    kind: 'unavailable',
    prefix: 'the database canceled the statement: ',
    codes: [1028, 1317, 1969, 3024],
  },
  {
    // ER_ACCESS_DENIED_ERROR, ER_BAD_DB_ERROR, ER_HOST_NOT_PRIVILEGED, ER_ACCESS_DENIED_NO_PASSWORD_ERROR,
    // ER_MUST_CHANGE_PASSWORD, ER_MUST_CHANGE_PASSWORD_LOGIN, ER_ACCOUNT_HAS_BEEN_LOCKED, the same of MariaDB
    kind: 'broken',
    prefix: LOG_IN_REFUSED,
    codes: [1045, 1049, 1130, 1698, 1820, 1862, 3118, 4151],
  },
  {
    // Waiting does not help. ER_DBACCESS_DENIED_ERROR, ER_TABLEACCESS_DENIED_ERROR, ER_COLUMNACCESS_DENIED_ERROR,
    // ER_SPECIFIC_ACCESS_DENIED_ERROR, ER_PROCACCESS_DENIED_ERROR
    kind: 'broken',
    prefix:
      'the database user of QScope lacks a privilege (docs/databases.md has the grants; qscope doctor names what is missing): ',
    codes: [1044, 1142, 1143, 1227, 1370],
  },
  {
    // ER_BAD_NULL_ERROR, ER_WARN_DATA_OUT_OF_RANGE, ER_TRUNCATED_WRONG_VALUE_FOR_FIELD, ER_DATA_TOO_LONG,
    // ER_ROW_IS_REFERENCED, ER_NO_REFERENCED_ROW, their successors, ER_SIGNAL_EXCEPTION (a trigger's), checks
    kind: 'refused',
    prefix: '',
    codes: [1048, 1216, 1217, 1264, 1366, 1406, 1451, 1452, 1644, 3819, 4025],
  },
]
const MEANING_OF: ReadonlyMap<number, Meaning> = new Map(
  MEANINGS.flatMap((meaning) => meaning.codes.map((code) => [code, meaning] as const)),
)

/** ER_NO_SUCH_TABLE, ER_BAD_FIELD_ERROR */
const MISFITS: ReadonlySet<number> = new Set([1146, 1054])
/** ER_GET_ERRNO, ER_ERROR_DURING_COMMIT: the text contains the number of the system's or the storage engine's error. */
const OF_THE_ENGINE: ReadonlySet<number> = new Set([1030, 1180])
/** EIO, ENOMEM, ENFILE, EMFILE, ENOSPC, EROFS, EDQUOT. Of the engine: record file full, too many transactions. */
const PASSING: ReadonlySet<number> = new Set([5, 12, 23, 24, 28, 30, 122, 135, 177])
/** Of the engine: lock wait timeout, lock table full, deadlock. */
const CONTENDED: ReadonlySet<number> = new Set([146, 147, 149])

/** Classifies an error of MySQL or MariaDB if no commit was sent. */
export function databaseErrorOf(error: unknown): DatabaseError {
  if (error instanceof DatabaseError) return error
  const { code, errno, message, fatal } = describe(error)
  const meaning = MEANING_OF.get(errno)
  if (meaning?.ofHost === true) return new UnfitHostError(`${meaning.prefix}${message}`, error)
  if (meaning !== undefined) return new DatabaseError(meaning.kind, `${meaning.prefix}${message}`, error)
  if (OF_THE_ENGINE.has(errno)) return engineErrorOf(message, error)
  if (MISFITS.has(errno)) {
    return new DatabaseError('broken', `the schema does not fit (${message}): run \`qscope migrate up\``, error)
  }
  if (code === UNKNOWN_PLUGIN || /unknown plugin/i.test(message))
    return new DatabaseError('broken', noPlugin(message), error)
  if (fatal || code === CONNECTION_LOST || SOCKET_CODES.has(code)) {
    return new DatabaseError('lost', socketErrorMessage(code, message), error)
  }
  return new DatabaseError('broken', message, error)
}

function engineErrorOf(message: string, error: unknown): DatabaseError {
  const number = Number(/error:? (\d+)/i.exec(message)?.[1])
  if (CONTENDED.has(number)) return new DatabaseError('conflict', message, error)
  if (PASSING.has(number))
    return new DatabaseError('unavailable', `the database cannot write or read: ${message}`, error)
  return new DatabaseError('broken', message, error)
}

/** The account requires an authentication plugin that the client does not support, such as MariaDB's ed25519. */
function noPlugin(message: string): string {
  const plugin = /plugin '?(\w+)/.exec(message)?.[1] ?? 'one that is not known'
  return `the database requires an authentication method that QScope does not support (${plugin}): change the account to mysql_native_password or caching_sha2_password, such as \`alter user … identified via mysql_native_password using password('…')\``
}

function describe(error: unknown) {
  if (!(error instanceof Error)) return { code: '', errno: 0, message: String(error), fatal: false }
  return {
    code: 'code' in error && typeof error.code === 'string' ? error.code : '',
    errno: 'errno' in error && typeof error.errno === 'number' ? error.errno : 0,
    // The client's errors about its own state have no code.
    fatal: ('fatal' in error && error.fatal === true) || error.message.includes('closed state'),
    message: error.message,
  }
}
