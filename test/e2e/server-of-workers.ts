import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { onTestFinished } from 'vitest'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { type Connection, connect } from '../setup/client.ts'
import type { DatabaseKind } from '../setup/fresh-database.ts'
import { restartableServer } from './restartable-server.ts'

const PATIENCE_MS = 180_000

/** A worker, and a connection to it. */
export interface ReachedWorker extends Pick<Connection, 'call' | 'stream'> {
  readonly number: number
  readonly pid: number
}

type LogLine = Readonly<Record<string, unknown>>

/** A server with several worker processes, and connections to each of them. */
export async function serverOfWorkers(
  kind: DatabaseKind,
  workers: number,
  variables: Readonly<Record<string, string>> = {},
) {
  const server = await restartableServer(kind, {
    QSCOPE_WORKERS: String(workers),
    QSCOPE_LOG_LEVEL: 'info',
    ...variables,
  })
  let running = await server.start()
  const lines = () => linesOf(running.stderr)

  /** The worker that answers on a connection, from the log line of a call. */
  async function answererOn(connection: Connection): Promise<Pick<ReachedWorker, 'number' | 'pid'>> {
    const rayId = randomBytes(8).toString('hex')
    await connection.call(TokenService.method.getJsonWebKeySet, {}, { metadata: { 'x-ray-id': rayId } })
    const line = await until(() => lines().find((each) => each['rayId'] === rayId && each['msg'] === 'call'))
    return { number: Number(line['worker']), pid: Number(line['pid']) }
  }

  return {
    ...server,
    get running() {
      return running
    },
    lines,
    async start() {
      running = await server.start()
      return running
    },
    /** Waits for a line of the log. */
    line: (matches: (line: LogLine) => boolean) => until(() => lines().find(matches)),
    /** Opens connections until there is one to each worker, in the order of their numbers. A replacement takes a while. */
    async reach(): Promise<readonly ReachedWorker[]> {
      const reached = new Map<number, ReachedWorker>()
      for (const end = Date.now() + PATIENCE_MS; reached.size < workers; await sleep(20)) {
        if (Date.now() > end) throw new Error(`of ${workers} workers only ${reached.size} were reached`)
        const connection = connect(server.address, { ownSocket: true })
        onTestFinished(() => connection.close())
        const { number, pid } = await answererOn(connection)
        if (reached.has(number)) connection.close()
        else reached.set(number, { ...connection, number, pid })
      }
      return [...reached.values()].sort((one, other) => one.number - other.number)
    },
  }
}

function linesOf(text: string): LogLine[] {
  return text
    .split('\n')
    .filter((line) => line.startsWith('{') && line.endsWith('}'))
    .map((line) => JSON.parse(line))
}

async function until<T>(look: () => T | undefined): Promise<T> {
  for (const end = Date.now() + PATIENCE_MS; ; await sleep(20)) {
    const found = look()
    if (found !== undefined) return found
    if (Date.now() > end) throw new Error('what was waited for never came')
  }
}
