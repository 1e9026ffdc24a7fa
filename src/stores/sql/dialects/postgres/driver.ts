import { Client } from 'pg'
import type { ServerHost } from '../../../../domain/server-url.ts'
import type { Statement, StatementResult } from '../../dialect.ts'
import { bindable } from '../../server/bindable.ts'
import type { RawConnection, ServerDriver, ServerTarget } from '../../server/driver.ts'
import { DatabaseTrouble } from '../../trouble.ts'
import { troubleOf } from './errors.ts'
import { statementName } from './statement-name.ts'

const PORT = 5432

/**
 * Each statement reads what is committed; a row lock is waited for as long as on
 * other databases, and a transaction whose owner is gone does not hold its locks
 * for ever.
 */
const SETTINGS = `set lock_timeout = '2s'; set idle_in_transaction_session_timeout = '60s'; set time zone 'UTC'`

export const postgresDriver: ServerDriver = Object.freeze({
  open: async (target, host) => {
    const client = clientFor(target, host)
    const connection = rawConnection(client)
    try {
      await client.connect()
      await setUp(connection)
      return connection
    } catch (error) {
      connection.destroy()
      throw troubleOf(error)
    }
  },
  probe: 'update oauth_audit_heads set sequence = sequence where 1 = 0',
  sendsManyAtOnce: false,
} satisfies ServerDriver)

function clientFor({ url, settings }: ServerTarget, { host, port }: ServerHost): Client {
  const { connectTimeoutMs, tls } = settings
  return new Client({
    host,
    port: port ?? PORT,
    user: url.user,
    password: url.password,
    database: url.database,
    connectionTimeoutMillis: connectTimeoutMs,
    keepAlive: true,
    application_name: 'qscope',
    // The host is what the certificate must name; of one that is an IP address the client would forget it.
    ssl: tls === null ? false : { ...(tls.ca !== null && { ca: tls.ca }), rejectUnauthorized: true, host },
  })
}

async function setUp({ say }: RawConnection): Promise<void> {
  const { rows } = await say("select version() as version, current_setting('transaction_read_only') as read_only")
  const [row] = rows
  if (field(row, 'read_only') === 'on') {
    throw new DatabaseTrouble('unavailable', 'the database is read-only: it is a replica, or was set so')
  }
  await say(SETTINGS)
  // CockroachDB keeps to SERIALIZABLE, and lets what conflicts run again.
  if (!field(row, 'version').startsWith('CockroachDB')) {
    await say('set session characteristics as transaction isolation level read committed')
  }
}

function rawConnection(client: Client): RawConnection {
  let usable = true
  const lost = () => {
    usable = false
  }
  // Unheard it would end the process; whoever uses the connection next is told.
  client.on('error', lost)
  client.on('end', lost)
  const run = async (query: () => Promise<{ readonly rows: unknown[]; readonly rowCount: number | null }>) => {
    try {
      return resultOf(await query())
    } catch (error) {
      throw troubleOf(error)
    }
  }
  return {
    get usable() {
      return usable
    },
    execute: ({ sql, parameters }: Statement) =>
      run(() => client.query({ name: statementName(sql), text: sql, values: parameters.map(bindable) })),
    say: (sql) => run(() => client.query(sql)),
    writeAll: null,
    end: async () => {
      lost()
      await client.end()
    },
    destroy: () => {
      lost()
      // The driver has no other way to leave a server that does not answer.
      client.connection.stream.destroy()
    },
  }
}

function resultOf({ rows, rowCount }: { readonly rows: unknown[]; readonly rowCount: number | null }): StatementResult {
  return { rows, affected: rowCount ?? 0 }
}

function field(row: unknown, name: string): string {
  return typeof row === 'object' && row !== null ? String(Reflect.get(row, name)) : ''
}
