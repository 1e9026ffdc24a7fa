import type { z } from 'zod'
import { type Address, formatAddress } from './address.ts'
import type { Environment } from './environment.ts'
import { SCHEMAS } from './schemas.ts'
import { VARIABLES, type VariableName } from './variables.ts'

/** The port for HTTP. */
export interface HttpConfig {
  readonly listen: Address
  /** Where callers reach it; `null`: at the address itself, whichever port that gets. */
  readonly url: string | null
  /** Of web pages that may call; empty: none. */
  readonly allowedOrigins: readonly string[]
}

/** Reads one variable; complains of it if it is wrong, and goes on with the fallback. */
type Read = <T>(name: VariableName, schema: z.ZodType<T, string>, fallback: string) => T

/** Reads what concerns HTTP; `null`: it is off. `issuer`: as it was set; `null`: it was not. */
export function readHttp(
  { values }: Environment,
  read: Read,
  { grpcListen, issuer }: { readonly grpcListen: Address; readonly issuer: string | null },
  complain: (name: VariableName, problem: string) => void,
): HttpConfig | null {
  const listen = read('QSCOPE_HTTP_LISTEN', SCHEMAS.addressOrOff, VARIABLES.QSCOPE_HTTP_LISTEN.fallback)
  const url = values.has('QSCOPE_HTTP_URL') ? read('QSCOPE_HTTP_URL', SCHEMAS.origin, 'http://localhost') : null
  const allowedOrigins = read('QSCOPE_HTTP_ALLOWED_ORIGINS', SCHEMAS.origins, '')
  if (listen === null) {
    for (const name of ['QSCOPE_HTTP_URL', 'QSCOPE_HTTP_ALLOWED_ORIGINS'] as const) {
      if (values.has(name)) complain(name, 'needs QSCOPE_HTTP_LISTEN beside it')
    }
    return null
  }
  if (listen.port !== 0 && listen.port === grpcListen.port && listen.host === grpcListen.host) {
    complain('QSCOPE_HTTP_LISTEN', `should be another address than QSCOPE_GRPC_LISTEN, ${formatAddress(grpcListen)}`)
  }
  return Object.freeze({ listen, url: url ?? (issuer === null ? null : originFor(issuer, grpcListen)), allowedOrigins })
}

/** Callers are taken to reach the port at the issuer's origin, unless that is the port for gRPC, which answers no HTTP. */
function originFor(issuer: string, grpcListen: Address): string | null {
  const { origin, port } = new URL(issuer)
  return port === String(grpcListen.port) ? null : origin
}
