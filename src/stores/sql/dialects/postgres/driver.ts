import { Client } from 'pg'
import type { ServerHost } from '../../../../domain/server-url.ts'
import type { Statement, StatementResult } from '../../core/dialect.ts'
import { bindable } from '../../server/bindable.ts'
import type { Dialled, RawConnection, ServerDriver, ServerTarget } from '../../server/driver.ts'
import { KEEPALIVE_AFTER_MS } from '../../server/keepalive.ts'
import { endWithin } from '../../server/open-connection.ts'
import { troubleOf } from './errors.ts'
import { setUpSession, verifySession } from './session.ts'
import { statementName } from './statement-name.ts'

const PORT = 5432

export const postgresDriver: ServerDriver = Object.freeze({
  dial: (target, host) => {
    const client = clientFor(target, host)
    return {
      connection: rawConnection(client, target),
      handshake: async () => {
        try {
          await client.connect()
        } catch (error) {
          throw troubleOf(error)
        }
      },
      get session() {
        return 'processID' in client ? String(client.processID) : null
      },
    } satisfies Dialled
  },
  setUp: setUpSession,
  verify: verifySession,
  // One that waits for its client, between the messages of a statement too, is at work on nothing.
  sessionsAtWork:
    "select pid as id from pg_stat_activity where state = 'active' and wait_event_type is distinct from 'Client'",
  probe: 'update oauth_audit_heads set sequence = sequence where 1 = 0',
  sendsManyAtOnce: false,
} satisfies ServerDriver)

function clientFor({ url, settings }: ServerTarget, { host, port }: ServerHost): Client {
  const { tls } = settings
  return new Client({
    host,
    port: port ?? PORT,
    user: url.user,
    password: url.password,
    database: url.database,
    // Whoever opens it limits the time, for all that comes after the handshake too.
    connectionTimeoutMillis: 0,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEPALIVE_AFTER_MS,
    client_encoding: 'UTF8',
    application_name: 'qscope',
    // The host is what the certificate must name; of one that is an IP address the client would forget it.
    ssl: tls === null ? false : { ...(tls.ca !== null && { ca: tls.ca }), rejectUnauthorized: true, host },
  })
}

function rawConnection(client: Client, { settings }: ServerTarget): RawConnection {
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
      await endWithin(settings.connectTimeoutMs, client.end(), () => client.connection.stream.destroy())
    },
    destroy: () => {
      lost()
      // The driver has no other way to leave a server that does not answer.
      client.connection.stream.destroy()
    },
  }
}

/** Of several statements in one text, which only set something, the driver gives a list; nobody asks what is in it. */
function resultOf({ rows, rowCount }: { readonly rows: unknown[]; readonly rowCount: number | null }): StatementResult {
  return { rows, affected: rowCount ?? 0 }
}
