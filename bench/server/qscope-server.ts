import { type ChildProcess, spawn } from 'node:child_process'
import { Health, HealthCheckResponse_ServingStatus } from '../../src/gen/grpc/health/v1/health_pb.ts'
import { connect } from '../../test/setup/client.ts'
import type { TransportName } from '../cells.ts'
import { ownLaunch } from './qscope-entry.ts'
import { plainEnvironment, runQScope } from './run-command.ts'

const START_MS = 60_000
const LISTENS = /listens on [^\s]*:(\d+)/

/** The server to run and its database. */
export interface ServerSettings {
  readonly entry: string
  readonly databaseUrl: string
  readonly keyringFile: string
  readonly workers: number
  /** Default: the server's. */
  readonly transport?: TransportName
  /** Arguments for Node, such as `--cpu-prof`. */
  readonly nodeArgs?: readonly string[]
  /** Additional environment variables. */
  readonly variables?: Readonly<Record<string, string>>
}

export interface QScopeServer {
  readonly port: number
  readonly pid: number
  /** From the start of the process until health reported SERVING. */
  readonly startMs: number
  /** Drains the server and waits until it ends. */
  stop(): Promise<void>
}

/** The server's variables. All others have their defaults, including the log level. */
export function serverVariables(settings: ServerSettings): Readonly<Record<string, string>> {
  return {
    QSCOPE_DATABASE_URL: settings.databaseUrl,
    QSCOPE_KEYRING_FILE: settings.keyringFile,
    QSCOPE_GRPC_LISTEN: '127.0.0.1:0',
    QSCOPE_ISSUER: 'http://127.0.0.1:50051',
    ...(settings.transport === 'grpc-js' && { QSCOPE_GRPC_TRANSPORT: settings.transport }),
    ...(settings.workers > 1 && { QSCOPE_WORKERS: String(settings.workers) }),
    ...settings.variables,
  }
}

/** Starts `qscope serve` and waits until it is SERVING. Its log output is discarded. */
export async function startQScope(settings: ServerSettings): Promise<QScopeServer> {
  const begun = performance.now()
  const { variables, nodeArgs } = ownLaunch(settings.entry)
  const child = spawn(process.execPath, [...nodeArgs, ...(settings.nodeArgs ?? []), settings.entry, 'serve'], {
    env: plainEnvironment({ ...variables, ...serverVariables(settings) }),
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const kill = () => void child.kill('SIGKILL')
  process.once('exit', kill)
  try {
    const port = await listening(child)
    await serving(port)
    return {
      port,
      pid: child.pid ?? 0,
      startMs: performance.now() - begun,
      stop: async () => {
        process.off('exit', kill)
        child.kill('SIGTERM')
        await gone
      },
    }
  } catch (error) {
    kill()
    throw new Error(`the server did not start:\n${await whyNot(settings)}`, { cause: error })
  }
}

/** The port in its standard output. */
function listening(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    let text = ''
    const timer = setTimeout(() => reject(new Error('it said nothing')), START_MS)
    child.stdout?.setEncoding('utf8').on('data', (part: string) => {
      text += part
      const port = LISTENS.exec(text)?.[1]
      if (port === undefined) return
      clearTimeout(timer)
      resolve(Number(port))
    })
    child.once('exit', (code) => {
      clearTimeout(timer)
      reject(new Error(`it ended with ${code}`))
    })
  })
}

async function serving(port: number): Promise<void> {
  const connection = connect(`127.0.0.1:${port}`)
  try {
    for (const until = Date.now() + START_MS; Date.now() < until; ) {
      const { status } = await connection.call(Health.method.check, { service: '' })
      if (status === HealthCheckResponse_ServingStatus.SERVING) return
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    throw new Error('it is not SERVING')
  } finally {
    connection.close()
  }
}

async function whyNot(settings: ServerSettings): Promise<string> {
  const { stdout, stderr } = await runQScope(settings.entry, ['doctor'], serverVariables(settings))
  return `${stdout}\n${stderr}`.trim()
}
