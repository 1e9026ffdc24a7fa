import { z } from 'zod'
import { parseDuration } from './duration.ts'
import type { Environment } from './environment.ts'
import { VARIABLES, type VariableName } from './variables.ts'

export const TLS_CLIENT_AUTH = Object.freeze(['none', 'request', 'require'] as const)

/** TLS on the gRPC port. The files are read when the server starts, and again when they change. */
export interface TlsConfig {
  readonly certFile: string
  readonly keyFile: string
  /** Issues the certificates of clients; `null`: nobody does, and only a thumbprint tells one client from another. */
  readonly clientCaFile: string | null
  /** `request`: callers may show a certificate, whoever issued it. `require`: without one from the CA no connection. */
  readonly clientAuth: (typeof TLS_CLIENT_AUTH)[number]
  readonly reloadIntervalMs: number
}

/** Reads one variable; complains of it if it is wrong, and goes on with the fallback. */
type Read = <T>(name: VariableName, schema: z.ZodType<T, string>, fallback: string) => T

const RELOAD_INTERVAL = z
  .string()
  .transform((text) => parseDuration(text) ?? 0)
  .pipe(z.number().min(100).max(86_400_000))

/** Reads what concerns TLS; `null`: calls travel in plaintext. */
export function readTls(
  { values }: Environment,
  read: Read,
  complain: (name: VariableName, problem: string) => void,
): TlsConfig | null {
  const certFile = values.get('QSCOPE_TLS_CERT_FILE')
  const keyFile = values.get('QSCOPE_TLS_KEY_FILE')
  const clientCaFile = values.get('QSCOPE_TLS_CLIENT_CA_FILE') ?? null
  const clientAuth = read('QSCOPE_TLS_CLIENT_AUTH', z.enum(TLS_CLIENT_AUTH), clientCaFile === null ? 'none' : 'request')
  const reloadIntervalMs = read(
    'QSCOPE_TLS_RELOAD_INTERVAL',
    RELOAD_INTERVAL,
    VARIABLES.QSCOPE_TLS_RELOAD_INTERVAL.fallback,
  )
  if (certFile === undefined && keyFile === undefined) {
    for (const name of ['QSCOPE_TLS_CLIENT_CA_FILE', 'QSCOPE_TLS_CLIENT_AUTH'] as const) {
      if (values.has(name)) complain(name, 'needs QSCOPE_TLS_CERT_FILE and QSCOPE_TLS_KEY_FILE beside it')
    }
    return null
  }
  if (certFile === undefined) complain('QSCOPE_TLS_CERT_FILE', 'is missing beside QSCOPE_TLS_KEY_FILE')
  if (keyFile === undefined) complain('QSCOPE_TLS_KEY_FILE', 'is missing beside QSCOPE_TLS_CERT_FILE')
  if (clientAuth === 'require' && clientCaFile === null) {
    complain('QSCOPE_TLS_CLIENT_CA_FILE', 'is missing: QSCOPE_TLS_CLIENT_AUTH=require asks for certificates of a CA')
  }
  if (clientAuth === 'none' && clientCaFile !== null) {
    complain('QSCOPE_TLS_CLIENT_AUTH', 'should be request or require where QSCOPE_TLS_CLIENT_CA_FILE is set')
  }
  return Object.freeze({
    certFile: certFile ?? '',
    keyFile: keyFile ?? '',
    clientCaFile,
    clientAuth,
    reloadIntervalMs,
  })
}
