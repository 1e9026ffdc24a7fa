import { execFile } from 'node:child_process'
import { chownSync, existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { createConnection, type RowDataPacket } from 'mysql2/promise'
import { freePort } from './free-port.ts'
import { type GuardedDirectory, makeGuardedDirectory } from './guarded-directory.ts'
import { type Account, accountInsteadOfRoot, installed } from './installed.ts'
import { installMariaDb, MARIADB_OPTIONS, type MariaDbBinaries, mariaDbBinaries } from './mariadb.ts'
import { placesIn, urlOfMysql } from './mysql-family.ts'
import { missing } from './requirement.ts'
import { type DatabaseServer, startServerProcess } from './server-process.ts'

const NODES = 3
const PROVIDERS = ['/usr/lib/galera/libgalera_smm.so', '/usr/lib/galera-4/libgalera_smm.so']

/** A cluster in which every node takes writes. */
export interface Galera {
  readonly nodes: readonly Pick<DatabaseServer, 'url' | 'kill' | 'start'>[]
  stop(): Promise<void>
}

const installation = findInstallation()

/** Whether a cluster can be started here. If not, the missing part was reported. */
export const galeraIsInstalled = installation !== null

/** Starts three nodes on loopback, each with all of the data. Takes about ten seconds. */
export async function startGalera(): Promise<Galera> {
  if (installation === null) throw new Error('no Galera cluster is installed')
  const nodes: GaleraNode[] = []
  // The scripts that transfer state do not run as root.
  const account = accountInsteadOfRoot('mysql')
  for (let n = 1; n <= NODES; n += 1) nodes.push(await prepareNode(n, account))
  const members = nodes.map(({ ports }) => `127.0.0.1:${ports.group}`)
  const servers: DatabaseServer[] = []
  const stop = async () => void (await Promise.all(servers.map((server) => server.stop())))
  try {
    // The first node founds the cluster. While it transfers its state to a joining node, others wait.
    for (const node of nodes) servers.push(await startNode(installation, node, members, account))
  } catch (error) {
    await stop()
    throw error
  }
  return { nodes: servers, stop }
}

interface Installation {
  readonly binaries: MariaDbBinaries
  readonly provider: string
}

interface GaleraNode {
  readonly number: number
  readonly directory: GuardedDirectory
  readonly ports: Readonly<Record<'sql' | 'group' | 'increments' | 'snapshot', number>>
}

function findInstallation(): Installation | null {
  const binaries = mariaDbBinaries()
  const provider = PROVIDERS.find((path) => existsSync(path))
  if (binaries !== null && provider !== undefined && installed('rsync') !== null) return { binaries, provider }
  missing('galera', 'everything on a Galera cluster', 'install mariadb-server, galera-4 and rsync')
  return null
}

async function prepareNode(number: number, account: Account | null): Promise<GaleraNode> {
  const directory = makeGuardedDirectory(`galera${number}`, account)
  const ports = {
    sql: await freePort(),
    group: await freePort(),
    increments: await freePort(),
    snapshot: await freePort(),
  }
  return { number, directory, ports }
}

function startNode(
  { binaries, provider }: Installation,
  { number, directory, ports }: GaleraNode,
  members: readonly string[],
  account: Account | null,
): Promise<DatabaseServer> {
  const asUser = account === null ? [] : [`--user=${account.name}`]
  /** Options of the first start. Null afterwards. */
  let first: readonly string[] | null = []
  if (number === 1) {
    const init = installMariaDb(binaries, directory.path, asUser)
    first = ['--wsrep-new-cluster', `--init-file=${init}`]
  } else {
    // Empty: all data comes from the other nodes.
    const data = join(directory.path, 'data')
    mkdirSync(data)
    if (account !== null) chownSync(data, account.uid, account.gid)
  }
  const settings = [
    `gmcast.listen_addr=tcp://127.0.0.1:${ports.group}`,
    `ist.recv_addr=127.0.0.1:${ports.increments}`,
    // Lets a returning node receive only the changes, instead of all data.
    'gcache.size=32M',
  ]
  const options = [
    '--no-defaults',
    ...asUser,
    ...MARIADB_OPTIONS,
    ...placesIn(directory.path),
    `--port=${ports.sql}`,
    '--binlog-format=ROW',
    '--innodb-autoinc-lock-mode=2',
    '--wsrep-on=ON',
    `--wsrep-provider=${provider}`,
    `--wsrep-provider-options=${settings.join(';')}`,
    '--wsrep-cluster-name=qscope-test',
    `--wsrep-cluster-address=gcomm://${members.join(',')}`,
    `--wsrep-node-name=node${number}`,
    '--wsrep-node-address=127.0.0.1',
    '--wsrep-sst-method=rsync',
    `--wsrep-sst-receive-address=127.0.0.1:${ports.snapshot}`,
  ]
  const url = urlOfMysql(ports.sql)
  return startServerProcess({
    url,
    program: binaries.server,
    args: async () => {
      const special = first ?? (await positionOf(binaries, options))
      first = null
      return [...options, ...special]
    },
    account: null,
    directory,
    stopSignal: 'SIGTERM',
    probe: () => isSynced(url),
  })
}

/** The position of a node's data, so that it receives only the changes. After a crash, only InnoDB knows it. */
async function positionOf({ server }: MariaDbBinaries, options: readonly string[]): Promise<string[]> {
  const { stderr } = await promisify(execFile)(server, [...options, '--wsrep-recover'])
  const [, position] = /Recovered position:? (\S+)/.exec(stderr) ?? []
  if (position === undefined) throw new Error(`the node does not know its position:\n${stderr}`)
  return [`--wsrep-start-position=${position}`]
}

/** Throws until the node is in sync and participates. */
async function isSynced(url: string): Promise<void> {
  const connection = await createConnection(url)
  try {
    const [rows] = await connection.query<RowDataPacket[]>("show status like 'wsrep_local_state_comment'")
    const state = rows[0]?.['Value']
    if (state !== 'Synced') throw new Error(`the node is ${state}`)
  } finally {
    await connection.end()
  }
}
