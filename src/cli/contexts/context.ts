import { z } from 'zod'
import { parseAddress } from '../../config/address.ts'

const FORMAT = 'qscope-context/1'
/** A name is part of a path and of shell completions. */
const NAME = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,63}$/

const Login = z.strictObject({
  /** The client that the user logged in to. */
  clientId: z.string(),
  accessToken: z.string(),
  /** `null`: the client gets none, and the user logs in again when the access token expires. */
  refreshToken: z.string().nullable(),
  /** The expiry of the access token, in ISO 8601. */
  expireTime: z.iso.datetime(),
  scopes: z.array(z.string()),
})

const Context = z.strictObject({
  format: z.literal(FORMAT),
  /** `host:port`. */
  server: z.string().refine((text) => parseAddress(text) !== null),
  tls: z.literal(true).optional(),
  plaintext: z.literal(true).optional(),
  /** Paths are absolute, here and below. */
  caFile: z.string().optional(),
  certFile: z.string().optional(),
  keyFile: z.string().optional(),
  clientId: z.string().optional(),
  clientSecret: z.string().optional(),
  clientSecretFile: z.string().optional(),
  /** The file with the token of the client's platform. */
  clientAssertionFile: z.string().optional(),
  login: Login.optional(),
})

/** A server, its connection settings, and the caller's credentials. */
export type Context = Readonly<z.infer<typeof Context>>
/** The tokens of a user who logged in. */
export type Login = Readonly<z.infer<typeof Login>>

export interface NamedContext {
  readonly name: string
  readonly context: Context
}

export function isContextName(text: string): boolean {
  return NAME.test(text)
}

/** A context with only a server. */
export function newContext(server: string): Context {
  return { format: FORMAT, server }
}

/**
 * Parses a context. `null`: the text is not a context. Problems are not described, because the text contains secrets.
 */
export function parseContext(text: string): Context | null {
  try {
    const parsed = Context.safeParse(JSON.parse(text))
    return parsed.success ? parsed.data : null
  } catch {
    return null
  }
}

export function printContext(context: Context): string {
  return `${JSON.stringify(context, null, 2)}\n`
}

/** The security of the connection to a context's server, in the form of command options. */
export function securityOf({ tls, plaintext, caFile, certFile, keyFile }: Context): ContextSecurity {
  return {
    ...(tls !== undefined && { tls }),
    ...(plaintext !== undefined && { plaintext }),
    ...(caFile !== undefined && { caFile }),
    ...(certFile !== undefined && { certFile }),
    ...(keyFile !== undefined && { keyFile }),
  }
}

export interface ContextSecurity {
  readonly tls?: true
  readonly plaintext?: true
  readonly caFile?: string
  readonly certFile?: string
  readonly keyFile?: string
}
