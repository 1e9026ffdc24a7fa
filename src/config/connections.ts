import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { z } from 'zod'
import { messageOf } from '../message-of.ts'
import type { DatabaseTarget } from './database-url.ts'
import type { Environment } from './environment.ts'
import { SCHEMAS } from './schemas.ts'
import { VARIABLES, type VariableName } from './variables.ts'

/** How a database is talked to. */
export interface Connections {
  /** Of an embedded database: how large its write-ahead log may get before it is folded back, in bytes. */
  readonly walLimit: number
  /** At most, of each process. */
  readonly poolSize: number
  readonly connectTimeoutMs: number
  readonly statementTimeoutMs: number
  /** `null`: plaintext. `ca`: certificates in PEM, or `null` for the authorities that Node.js trusts. */
  readonly tls: { readonly ca: string | null } | null
}

/** Reads one variable; complains of it if it is wrong, and goes on with the fallback. */
export type Read = <T>(name: VariableName, schema: z.ZodType<T, string>, fallback: string) => T

/** Takes note of what is wrong. */
export interface Complaints {
  readonly complain: (name: VariableName, problem: string) => void
  readonly warn: (warning: string) => void
}

/**
 * Reads what concerns connections. The certificates are read here and now, so
 * that a file that cannot be used is reported beside every other problem.
 */
export function readConnections(
  { values }: Environment,
  { embedded, parameters, doubt }: DatabaseTarget,
  read: Read,
  { complain, warn }: Complaints,
): Connections {
  if (doubt !== null) complain('QSCOPE_DATABASE_URL', doubt)
  if (parameters.length > 0) {
    // A name that is none of these may be the rest of a password with a question mark in it.
    const names = parameters.map((name) => (PARAMETERS.has(name.toLowerCase()) ? JSON.stringify(name) : 'another'))
    const instead = embedded ? '' : '; QSCOPE_DATABASE_… variables set what others put there'
    complain('QSCOPE_DATABASE_URL', `should be without parameters, but has ${names.join(', ')}${instead}`)
  }
  const caFile = values.get('QSCOPE_DATABASE_CA_FILE') ?? null
  const tls = read('QSCOPE_DATABASE_TLS', SCHEMAS.onOff, caFile === null ? 'off' : 'on')
  if (caFile !== null && !tls) warn('QSCOPE_DATABASE_CA_FILE is not used, because QSCOPE_DATABASE_TLS is off')
  const ca = caFile === null ? null : readCertificates(caFile, complain)
  return Object.freeze({
    walLimit: read('QSCOPE_SQLITE_WAL_LIMIT', SCHEMAS.walLimit, VARIABLES.QSCOPE_SQLITE_WAL_LIMIT.fallback),
    poolSize: read('QSCOPE_DATABASE_POOL_SIZE', SCHEMAS.poolSize, VARIABLES.QSCOPE_DATABASE_POOL_SIZE.fallback),
    connectTimeoutMs: read(
      'QSCOPE_DATABASE_CONNECT_TIMEOUT',
      SCHEMAS.connectTimeout,
      VARIABLES.QSCOPE_DATABASE_CONNECT_TIMEOUT.fallback,
    ),
    statementTimeoutMs: read(
      'QSCOPE_DATABASE_STATEMENT_TIMEOUT',
      SCHEMAS.statementTimeout,
      VARIABLES.QSCOPE_DATABASE_STATEMENT_TIMEOUT.fallback,
    ),
    tls: tls ? Object.freeze({ ca }) : null,
  })
}

/** What URLs for other programs carry behind the question mark. */
const PARAMETERS: ReadonlySet<string> = new Set([
  'application_name',
  'cache',
  'charset',
  'collation',
  'connect_timeout',
  'connection_limit',
  'mode',
  'options',
  'pool_timeout',
  'schema',
  'ssl',
  'ssl-mode',
  'sslaccept',
  'sslcert',
  'sslkey',
  'sslmode',
  'sslrootcert',
  'statement_timeout',
  'target_session_attrs',
  'timezone',
])

function readCertificates(path: string, complain: Complaints['complain']): string | null {
  try {
    const pem = readFileSync(path, 'utf8')
    new X509Certificate(pem)
    return pem
  } catch (error) {
    const reason = messageOf(error)
    complain(
      'QSCOPE_DATABASE_CA_FILE',
      `should be ${VARIABLES.QSCOPE_DATABASE_CA_FILE.shouldBe}, not ${JSON.stringify(path)}: ${reason}`,
    )
    return null
  }
}
