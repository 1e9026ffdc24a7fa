import { epochMs } from '../../../domain/ids.ts'
import { parseServerUrl } from '../../../domain/server-url.ts'
import type { Logger } from '../../../logger.ts'
import { DatabaseError } from '../core/database-error.ts'
import type { Connected, ConnectionSettings, Execute } from '../core/dialect.ts'
import { ConnectionPool } from '../engine/connection-pool.ts'
import type { RawConnection, ServerDriver, ServerTarget } from './driver.ts'
import { Hosts } from './hosts.ts'
import { openConnection } from './open-connection.ts'
import { isStale, ServerConnection } from './server-connection.ts'
import { ServerWriter } from './server-writer.ts'
import { SessionWatch } from './session-watch.ts'

/** Look-ups travel in batches, so the smaller part of the connections reads. */
const SHARE_OF_READERS = 0.4
/** More reads than this wait for a connection: look-ups are batched, and their callers counted, before they come here. */
const MOST_WAITING_READS = 10_000

/** Opens a database on a server; the first connection tells at once whether that is possible. */
export async function connectServer(
  driver: ServerDriver,
  url: string,
  settings: ConnectionSettings,
  log: Logger,
): Promise<Connected> {
  const target = serverTarget(url, settings)
  const hosts = new Hosts(target.url.hosts)
  const sessions = new SessionWatch(driver, target)
  const connection = () => new ServerConnection(driver, target, hosts, sessions)
  const readerCount = Math.max(1, Math.round(settings.poolSize * SHARE_OF_READERS))
  const readers = Array.from({ length: readerCount }, connection)
  const writer = () => new ServerWriter(connection(), false, driver.probe, log)
  const batchWriter = () => {
    const manyAtOnce = driver.sendsManyAtOnce
    return new ServerWriter(
      new ServerConnection(driver, { ...target, manyAtOnce }, hosts, sessions),
      manyAtOnce,
      driver.probe,
      log,
    )
  }
  const appender = batchWriter()
  const otherCount = Math.max(1, settings.poolSize - readerCount - 1)
  // Beside the one that appends, which seldom waits for a row; and transactions that cannot be drafted need one.
  const drafter = driver.sendsManyAtOnce && otherCount > 1 ? batchWriter() : null
  const others = Array.from({ length: otherCount - (drafter === null ? 0 : 1) }, writer)
  const readSlots = new ConnectionPool(readers, MOST_WAITING_READS)
  await readers[0]?.ready()
  return {
    execute: readThrough(readSlots, settings.statementTimeoutMs),
    // It waits for the server, not in this process.
    scan: readThrough(readSlots, settings.statementTimeoutMs),
    readLoad: () => readSlots.load,
    writers: { append: appender, drafts: drafter, transactions: others },
    close: async () => {
      const writers = [appender, ...(drafter === null ? [] : [drafter]), ...others]
      await Promise.all([...readers, ...writers].map((one) => one.close()))
    },
  }
}

/** Opens one connection, to change the schema with. */
export async function openOne(driver: ServerDriver, url: string, settings: ConnectionSettings): Promise<RawConnection> {
  const target = serverTarget(url, settings)
  const { opened } = await new Hosts(target.url.hosts).open((host) => openConnection(driver, target, host))
  return opened.connection
}

function serverTarget(url: string, settings: ConnectionSettings): ServerTarget {
  const parsed = parseServerUrl(url)
  if (parsed === null) throw new DatabaseError('unavailable', 'this is not the URL of a database on a server')
  return { url: parsed, settings, manyAtOnce: false }
}

/** A connection may have gone stale unnoticed; a read can be repeated. None waits in line for longer than it may take. */
function readThrough(readers: ConnectionPool<ServerConnection>, patienceMs: number): Execute {
  const { signal } = new AbortController()
  return (statement) =>
    readers.use({ signal, deadline: epochMs(Date.now() + patienceMs) }, async (reader) => {
      try {
        await reader.ready()
        return await reader.execute(statement)
      } catch (error) {
        if (!isStale(error)) throw error
        reader.drop()
        await reader.ready()
        return await reader.execute(statement)
      }
    })
}
