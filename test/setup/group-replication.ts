import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Connection, createConnection, type RowDataPacket } from 'mysql2/promise'
import { freePort } from './free-port.ts'
import { installMysql, mysqlProgram } from './mysql.ts'
import { TEST_USER_SQL, urlOfMysql } from './mysql-family.ts'
import { missing } from './requirement.ts'
import { type DatabaseServer, startServerProcess } from './server-process.ts'

const NODES = 3
const GROUP = 'aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee'
/** What a member does for itself is not the group's: its log must hold nothing else when it joins. */
const OWN_USER_SQL = `SET sql_log_bin = 0;\n${TEST_USER_SQL}`

export interface GroupMember extends Pick<DatabaseServer, 'url' | 'kill' | 'start'> {
  /** Lets it stand still, as a machine that nothing reaches: its sockets stay, and answer nothing. */
  pause(): void
  resume(): void
}

/** Servers that replicate as one group. */
export interface GroupReplication {
  readonly members: readonly GroupMember[]
  stop(): Promise<void>
}

/** Whether a group can be started here; if not, it was said by name what is missing. */
export const groupReplicationIsInstalled = isInstalled()

/** Starts three members on loopback, the first of which is the primary, unless all are. */
export async function startGroupReplication({ multiPrimary }: { multiPrimary: boolean }): Promise<GroupReplication> {
  const ports: { readonly sql: number; readonly group: number }[] = []
  for (let n = 0; n < NODES; n += 1) ports.push({ sql: await freePort(), group: await freePort() })
  const seeds = ports.map(({ group }) => `127.0.0.1:${group}`).join(',')
  const servers: DatabaseServer[] = []
  const members: GroupMember[] = []
  const stop = async () => {
    for (const member of members) member.resume()
    await Promise.all(servers.map((server) => server.stop()))
  }
  try {
    for (const [index, { sql, group }] of ports.entries()) {
      const installation = installMysql(`group${index + 1}`, OWN_USER_SQL)
      if (installation === null) throw new Error('no MySQL is installed')
      const { program, directory, options } = installation
      const url = urlOfMysql(sql)
      let founds = index === 0
      const server = await startServerProcess({
        url,
        program,
        args: () => [
          ...options,
          `--port=${sql}`,
          `--server-id=${index + 1}`,
          '--gtid-mode=ON',
          '--enforce-gtid-consistency=ON',
          '--report-host=127.0.0.1',
          `--report-port=${sql}`,
          '--plugin-load-add=group_replication.so',
          `--loose-group-replication-group-name=${GROUP}`,
          `--loose-group-replication-local-address=127.0.0.1:${group}`,
          `--loose-group-replication-group-seeds=${seeds}`,
          '--loose-group-replication-ip-allowlist=127.0.0.1',
          '--loose-group-replication-start-on-boot=OFF',
          '--loose-group-replication-recovery-get-public-key=ON',
          `--loose-group-replication-single-primary-mode=${multiPrimary ? 'OFF' : 'ON'}`,
        ],
        account: null,
        directory,
        stopSignal: 'SIGTERM',
        probe: async () => {
          await joined(url, founds)
          founds = false
        },
      })
      servers.push(server)
      let paused: number | null = null
      members.push({
        url,
        kill: server.kill,
        start: server.start,
        pause: () => {
          paused = Number(readFileSync(join(directory.path, 'pid'), 'utf8'))
          process.kill(paused, 'SIGSTOP')
        },
        resume: () => {
          if (paused !== null) process.kill(paused, 'SIGCONT')
          paused = null
        },
      })
    }
  } catch (error) {
    await stop()
    throw error
  }
  return { members, stop }
}

/** Throws until the member takes part. */
async function joined(url: string, founds: boolean): Promise<void> {
  const connection = await createConnection(url)
  try {
    const state = await stateOf(connection)
    if (state === 'ONLINE') return
    if (state === 'OFFLINE' || state === 'ERROR') {
      const { username, password } = new URL(url)
      await connection.query('stop group_replication')
      await connection.query(`set global group_replication_bootstrap_group = ${founds ? 'ON' : 'OFF'}`)
      await connection.query(`start group_replication user = '${username}', password = '${password}'`)
      await connection.query('set global group_replication_bootstrap_group = OFF')
    }
    throw new Error(`the member is ${await stateOf(connection)}`)
  } finally {
    await connection.end()
  }
}

async function stateOf(connection: Connection): Promise<string> {
  const [rows] = await connection.query<RowDataPacket[]>(
    'select member_state as state from performance_schema.replication_group_members where member_id = @@server_uuid',
  )
  return rows[0]?.['state'] ?? 'OFFLINE'
}

function isInstalled(): boolean {
  if (mysqlProgram('mysqld') !== null) return true
  missing('mysql', 'everything on Group Replication', 'install MySQL, as scripts/install-mysql.sh does')
  return false
}
