import { execFileSync, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { Socket } from 'node:net'
import { installed } from './installed.ts'
import { missing } from './requirement.ts'

/** Reads until the test process ends, in any way. Then ends the processes in the namespaces and removes them. */
const WATCH = `
while read -r line; do :; done
for name in "$@"; do
  ip netns pids "$name" | xargs -r kill -9
  ip netns del "$name"
done
`

/** A network namespace that acts as a machine. */
export interface NetworkNode {
  /** Precedes a program's name to run it there. */
  readonly enter: readonly string[]
  /** The address for the tests, on its own link. */
  readonly address: string
  /** The address for the other nodes. */
  readonly addressAmongNodes: string
  /** Cuts the link to the other nodes without an error. The tests still reach the node. */
  cutOff(): void
  reconnect(): void
}

/** Nodes on one switch. The tests reach each on another link. Removed with the test process. */
export interface NodeNetwork {
  readonly nodes: readonly NetworkNode[]
  /** The network of the nodes. */
  readonly subnet: string
  remove(): void
}

const SUBNET = '198.51.100.0/24'
const addressAmongNodes = (n: number) => `198.51.100.${n + 1}`

/** Whether networks can be created here. If not, the missing part was reported. */
export const networksCanBeMade = canBeMade()

export function makeNodeNetwork(count: number): NodeNetwork {
  const id = randomBytes(3).toString('hex')
  const numbers = Array.from({ length: count }, (_, n) => n)
  const switchName = `qscope-${id}-switch`
  const nameOf = (n: number) => `qscope-${id}-${n}`
  const names = [...numbers.map(nameOf), switchName]
  const watch = spawn('sh', ['-c', WATCH, 'sh', ...names], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  })
  watch.unref()
  if (watch.stdin instanceof Socket) watch.stdin.unref()
  const remove = () => {
    for (const name of names.filter(isThere)) ip(`netns del ${name}`)
    watch.kill('SIGKILL')
  }
  try {
    ip(`netns add ${switchName}`)
    ip(`-n ${switchName} link add switch type bridge`)
    ip(`-n ${switchName} link set switch up`)
    const nodes = numbers.map((n) => addNode(nameOf(n), switchName, n, id))
    return { nodes, subnet: SUBNET, remove }
  } catch (error) {
    remove()
    throw error
  }
}

function addNode(name: string, switchName: string, n: number, id: string): NetworkNode {
  // From the range for network tests (RFC 2544), four addresses for each link.
  const [high = 0, low = 0] = randomBytes(2)
  const link = (last: number) => `198.18.${high}.${(low & 0xfc) + last}`
  const [port, outside] = [`port${n}`, `q${id}${n}`]
  ip(`netns add ${name}`)
  ip(`-n ${name} link set lo up`)
  ip(`-n ${name} link add nodes type veth peer name ${port} netns ${switchName}`)
  ip(`-n ${switchName} link set ${port} master switch up`)
  ip(`-n ${name} addr add ${addressAmongNodes(n)}/24 dev nodes`)
  ip(`-n ${name} link set nodes up`)
  ip(`link add ${outside} type veth peer name clients netns ${name}`)
  ip(`addr add ${link(1)}/30 dev ${outside}`)
  ip(`link set ${outside} up`)
  ip(`-n ${name} addr add ${link(2)}/30 dev clients`)
  ip(`-n ${name} link set clients up`)
  return {
    enter: ['ip', 'netns', 'exec', name],
    address: link(2),
    addressAmongNodes: addressAmongNodes(n),
    cutOff: () => ip(`-n ${switchName} link set ${port} down`),
    reconnect: () => ip(`-n ${switchName} link set ${port} up`),
  }
}

function isThere(name: string): boolean {
  return execFileSync('ip', ['netns', 'list'], { encoding: 'utf8' })
    .split('\n')
    .some((line) => line.split(' ')[0] === name)
}

function ip(command: string): void {
  execFileSync('ip', command.split(' '), { stdio: 'pipe' })
}

function canBeMade(): boolean {
  const why = obstacle()
  if (why === null) return true
  missing('netns', 'everything on nodes that are cut off from each other', why)
  return false
}

function obstacle(): string | null {
  if (installed('ip') === null) return 'install iproute2'
  const name = `qscope-${randomBytes(3).toString('hex')}-probe`
  try {
    ip(`netns add ${name}`)
  } catch {
    return 'it takes root, with the capability to make network namespaces'
  }
  ip(`netns del ${name}`)
  return null
}
