import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Connection, createConnection, type RowDataPacket } from 'mysql2/promise'
import { freePort } from './free-port.ts'
import { installMysql, type MysqlInstallation, mysqlProgram } from './mysql.ts'
import { TEST_USER_SQL, urlOfMysql } from './mysql-family.ts'
import type { NetworkNode, NodeNetwork } from './network-namespaces.ts'
import { missing } from './requirement.ts'
import { type DatabaseServer, startServerProcess } from './server-process.ts'

const NODES = 3
/** A returning member first catches up while the others take writes. */
const RECOVERY_MS = 240_000
const LOOPBACK = '127.0.0.1'
const GROUP = 'aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee'
/** A member's own changes are not the group's. Its log must contain nothing else when it joins. */
const OWN_USER_SQL = `SET sql_log_bin = 0;\n${TEST_USER_SQL}`

export interface GroupMember extends Pick<DatabaseServer, 'url' | 'kill' | 'start'> {
  /** Pauses the server like an unreachable machine: its sockets stay open without answers. */
  pause(): void
  resume(): void
}

/** Servers of one replication group. */
export interface GroupReplication {
  readonly members: readonly GroupMember[]
  stop(): Promise<void>
}

/** Whether a group can be started here. If not, the missing part was reported. */
export const groupReplicationIsInstalled = isInstalled()

export interface GroupOptions {
  readonly multiPrimary: boolean
  /** The network of the members. Default: loopback. */
  readonly network?: NodeNetwork
  /** How many further seconds until an unreachable member is expelled. Default: 5. */
  readonly expelAfterSeconds?: number
}

/** Where a member runs. */
interface Place {
  /** Precedes the name of its program. */
  readonly enter: readonly string[]
  /** For clients and for the other members. */
  readonly url: string
  readonly host: string
  readonly port: number
  readonly groupPort: number
}

/** Starts three members. The first is the primary, unless all are. */
export async function startGroupReplication(options: GroupOptions): Promise<GroupReplication> {
  const { network = null } = options
  const places = network === null ? await placesOnLoopback() : network.nodes.map(placeOn)
  const seeds = places.map(({ host, groupPort }) => `${host}:${groupPort}`).join(',')
  const allowed = network?.subnet ?? LOOPBACK
  const servers: DatabaseServer[] = []
  const members: GroupMember[] = []
  const stop = async () => {
    for (const member of members) member.resume()
    await Promise.all(servers.map((server) => server.stop()))
  }
  try {
    const [first, ...others] = installations(places.length)
    const groupOptions = [
      `--loose-group-replication-group-seeds=${seeds}`,
      `--loose-group-replication-ip-allowlist=${allowed}`,
      `--loose-group-replication-single-primary-mode=${options.multiPrimary ? 'OFF' : 'ON'}`,
      `--loose-group-replication-member-expel-timeout=${options.expelAfterSeconds ?? 5}`,
    ]
    const start = async (installation: MysqlInstallation, index: number) => {
      const place = places[index]
      if (place === undefined) throw new Error('there is no place for it')
      const started = await startMember(place, index, installation, groupOptions)
      servers.push(started.server)
      members[index] = started.member
    }
    if (first !== undefined) await start(first, 0)
    await Promise.all(others.map((installation, n) => start(installation, n + 1)))
  } catch (error) {
    await stop()
    throw error
  }
  return { members, stop }
}

async function placesOnLoopback(): Promise<readonly Place[]> {
  const places: Place[] = []
  for (let n = 0; n < NODES; n += 1) {
    const port = await freePort()
    places.push({ enter: [], url: urlOfMysql(port), host: LOOPBACK, port, groupPort: await freePort() })
  }
  return places
}

/** A node can use all ports. */
function placeOn({ enter, address, addressAmongNodes }: NetworkNode): Place {
  return { enter, url: urlOfMysql(3306, address), host: addressAmongNodes, port: 3306, groupPort: 33061 }
}

/** Only the first one is installed. The others are copies. */
function installations(count: number): readonly MysqlInstallation[] {
  const first = installMysql('group1', OWN_USER_SQL)
  const others = Array.from({ length: count - 1 }, (_, n) => installMysql(`group${n + 2}`, OWN_USER_SQL, first))
  const all = [first, ...others].filter((one) => one !== null)
  if (all.length < count) throw new Error('no MySQL is installed')
  return all
}

async function startMember(
  place: Place,
  index: number,
  { program: mysqld, directory, options }: MysqlInstallation,
  groupOptions: readonly string[],
) {
  const [program = '', ...enter] = [...place.enter, mysqld]
  let founds = index === 0
  const server = await startServerProcess({
    url: place.url,
    program,
    args: () => [
      ...enter,
      ...options,
      `--port=${place.port}`,
      ...(place.enter.length === 0 ? [] : ['--bind-address=*']),
      `--server-id=${index + 1}`,
      '--gtid-mode=ON',
      '--enforce-gtid-consistency=ON',
      `--report-host=${place.host}`,
      `--report-port=${place.port}`,
      '--plugin-load-add=group_replication.so',
      `--loose-group-replication-group-name=${GROUP}`,
      `--loose-group-replication-local-address=${place.host}:${place.groupPort}`,
      '--loose-group-replication-start-on-boot=OFF',
      '--loose-group-replication-recovery-get-public-key=ON',
      ...groupOptions,
    ],
    account: null,
    directory,
    stopSignal: 'SIGTERM',
    patienceMs: RECOVERY_MS,
    probe: async () => {
      await joined(place.url, founds)
      founds = false
    },
  })
  let paused: number | null = null
  const member: GroupMember = {
    url: place.url,
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
  }
  return { server, member }
}

/** Throws until the member participates. */
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
