import { existsSync } from 'node:fs'
import { statfs } from 'node:fs/promises'
import { connect } from 'node:net'
import { dirname, resolve } from 'node:path'
import { type Address, formatAddress } from '../../config/address.ts'
import type { Config } from '../../config/config.ts'
import { readKeyringFile } from '../../crypto/keyring-file.ts'
import type { UnixSocket } from '../../domain/unix-socket.ts'
import { inspectSocketPath } from '../../transports/unix-socket-file.ts'
import { issuerKeyFindings } from './examine-issuers.ts'
import { tlsFindings } from './examine-tls.ts'
import { type Finding, guarded, ok, problem, warning } from './finding.ts'
import { describeConnectionProblem, PLAINTEXT, probeServer, type Security } from './probe-server.ts'

const MEBIBYTE = 1_048_576
const FREE_PROBLEM = 16 * MEBIBYTE
const FREE_WARNING = 256 * MEBIBYTE
const CONNECT_MS = 1_000

/**
 * Examines a configuration and everything that it names, in the order of a start. Changes nothing. `database` examines the
 * database. `listeners`: whether to check the ports, which a running server uses itself.
 */
export async function examine(
  config: Config,
  { database, listeners }: { readonly database: () => Promise<readonly Finding[]>; readonly listeners: boolean },
): Promise<readonly Finding[]> {
  const findings = config.warnings.map((text) => warning('configuration', text, 'correct the variable or unset it'))
  if (findings.length === 0) findings.push(ok('configuration', 'every variable is valid'))
  findings.push(...(await guarded('keyring', () => keyringFindings(config))))
  findings.push(...(await guarded('database', database)))
  findings.push(...(await guarded('disk', () => diskFindings(config))))
  findings.push(...(await guarded('tls', () => tlsFindings(config))))
  findings.push(...(await guarded('trusted issuers', () => issuerKeyFindings(config))))
  if (!listeners) return findings
  findings.push(...(await guarded('listener', () => listenerFindings('listener', config.grpcListen, config))))
  const { http } = config
  if (http !== null) findings.push(...(await guarded('http', () => listenerFindings('http', http.listen, config))))
  for (const socket of [config.sockets.grpc, config.sockets.http])
    if (socket !== null) findings.push(...(await guarded('socket', () => socketFindings(socket))))
  return findings
}

function keyringFindings({ keyringFile }: Config): readonly Finding[] {
  if (keyringFile === null) {
    return [warning('keyring', 'in memory; lost when the process ends', 'set QSCOPE_KEYRING_FILE to keep it')]
  }
  const file = readKeyringFile(keyringFile)
  if (file === null) return [ok('keyring', `${keyringFile} does not exist yet; the first start creates it`)]
  if (file.warning !== null) return [warning('keyring', 'other users can read it', file.warning)]
  return [ok('keyring', `${keyringFile}, active pepper ${file.material.pepper.active}`)]
}

async function diskFindings({ database: { file } }: Config): Promise<readonly Finding[]> {
  if (file === null) return []
  let folder = dirname(resolve(file))
  while (!existsSync(folder)) folder = dirname(folder)
  const { bavail, bsize } = await statfs(folder)
  const free = bavail * bsize
  const finding = `${Math.round(free / MEBIBYTE)} MiB free at ${folder}`
  if (free < FREE_PROBLEM) return [problem('disk', finding, 'free some space before the database stops writing')]
  return [free < FREE_WARNING ? warning('disk', finding, 'free some space soon') : ok('disk', finding)]
}

/** The server's own certificate is examined as a file. */
function asConfigured({ tls }: Config): Security {
  return tls === null ? PLAINTEXT : { kind: 'tls', ca: null, cert: null, key: null, verifies: false }
}

async function listenerFindings(check: string, listen: Address, config: Config): Promise<readonly Finding[]> {
  const shown = formatAddress(listen)
  const host = listen.host === '0.0.0.0' ? '127.0.0.1' : listen.host === '::' ? '::1' : listen.host
  const { promise, resolve: answer } = Promise.withResolvers<boolean>()
  const socket = connect({ host, port: listen.port, timeout: CONNECT_MS })
  socket
    .once('connect', () => answer(true))
    .once('error', () => answer(false))
    .once('timeout', () => answer(false))
  const taken = await promise
  socket.destroy()
  if (!taken) return [ok(check, `${shown} is free; no server runs there`)]
  const unreachable = await probeServer({ host, port: listen.port }, asConfigured(config))
  if (unreachable === null || check !== 'listener') return [ok(check, `something already listens on ${shown}`)]
  return [
    warning(
      check,
      describeConnectionProblem(unreachable, { host, port: listen.port }, 'environment'),
      'start the server with this configuration, or correct the variables',
    ),
  ]
}

async function socketFindings({ path }: UnixSocket): Promise<readonly Finding[]> {
  const found = await inspectSocketPath(path)
  switch (found.state) {
    case 'free':
      return [ok('socket', `${path} is free; the server creates it`)]
    case 'stale':
      return [ok('socket', `${path} is left over, and no process answers there; the next start replaces it`)]
    case 'taken':
      return [ok('socket', `a server already answers at ${path}`)]
    case 'unusable':
      return [problem('socket', found.problem, found.remedy)]
    default:
      return found satisfies never
  }
}
