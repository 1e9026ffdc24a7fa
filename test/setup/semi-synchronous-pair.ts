import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { createConnection } from 'mysql2/promise'
import { freePort } from './free-port.ts'
import { installMysql } from './mysql.ts'
import { TEST_USER_SQL, urlOfMysql } from './mysql-family.ts'
import { type DatabaseServer, startServerProcess } from './server-process.ts'

const PAGE = readFileSync(resolve(import.meta.dirname, '..', '..', 'docs', 'semi-synchronous-pair.md'), 'utf8')
/** A member's own changes must not be replicated. A read-only one gets them by its copy. */
const OWN_USER_SQL = `SET sql_log_bin = 0;\n${TEST_USER_SQL}`
/** ER_RESTART_SERVER_FAILED: no process restarts the server. */
const NOT_RESTARTED = 3707

/** The headings of docs/semi-synchronous-pair.md whose statements run. */
export type Step =
  | 'The first set-up'
  | 'Copy'
  | 'Follow'
  | 'Have commits wait'
  | 'Promotion, when the primary is lost'
  | 'Promotion while both run'

export interface PairMember extends DatabaseServer {
  /** Runs the statements of the page, with another member in place of `db1`. */
  run(step: Step, other?: PairMember): Promise<void>
  /** The same for a copy, followed by a restart. */
  copyFrom(other: PairMember): Promise<void>
}

/** Starts two servers in the page's initial state: both read-only, without replication. */
export async function startSemiSynchronousPair(): Promise<readonly [PairMember, PairMember]> {
  const first = await startMember(1)
  try {
    return [first, await startMember(2)]
  } catch (error) {
    await first.stop()
    throw error
  }
}

async function startMember(id: number): Promise<PairMember> {
  const installation = installMysql(`pair${id}`, OWN_USER_SQL)
  if (installation === null) throw new Error('no MySQL is installed')
  const { program, directory, options } = installation
  const port = await freePort()
  const url = urlOfMysql(port)
  const documented = settings().map((setting) => `--${setting.replace('server-id=1', `server-id=${id}`)}`)
  const server = await startServerProcess({
    url,
    program,
    args: () => [...options, `--port=${port}`, ...documented],
    account: null,
    directory,
    stopSignal: 'SIGTERM',
    probe: async () => (await createConnection(url)).end(),
  })
  const run = async (step: Step, other?: PairMember) => {
    const connection = await createConnection(url)
    try {
      for (const statement of statementsOf(step, other)) await connection.query(statement)
    } finally {
      connection.destroy()
    }
  }
  return {
    ...server,
    run,
    copyFrom: async (other) => {
      try {
        await run('Copy', other)
      } catch (error) {
        if (!(error instanceof Error && 'errno' in error && error.errno === NOT_RESTARTED)) throw error
      }
      await server.kill()
      await server.start()
    },
  }
}

function settings(): readonly string[] {
  return blockOf('Settings of both servers', 'ini')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.replace(' = ', '='))
}

function statementsOf(step: Step, other: PairMember | undefined): readonly string[] {
  const port = other === undefined ? '3306' : new URL(other.url).port
  return blockOf(step, 'sql')
    .replaceAll('db1', '127.0.0.1')
    .replaceAll('3306', port)
    .split(/;\n/)
    .filter((statement) => statement.trim() !== '')
}

function blockOf(heading: string, language: 'ini' | 'sql'): string {
  const section = PAGE.split(/^##+ /m).find((text) => text.startsWith(`${heading}\n`)) ?? ''
  const [, text] = new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'ms').exec(section) ?? []
  if (text === undefined) throw new Error(`docs/semi-synchronous-pair.md has no ${language} under ${heading}`)
  return text
}
