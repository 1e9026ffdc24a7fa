import { type Address, formatAddress, parseAddress } from '../../config/address.ts'
import { readEnvironment, variable } from '../../config/environment.ts'
import { isContextName, type NamedContext, securityOf } from '../contexts/context.ts'
import { ContextStore } from '../contexts/context-store.ts'
import { address, type ConnectionOptions, UsageError } from '../options/options.ts'
import { endpointForCredentials, type SecurityOptions, type ServerEndpoint } from './endpoint.ts'

/** The target of a command. */
export type Target =
  | ServerTarget
  /** `chosen`: whether it was chosen explicitly, or no server was given. */
  | { readonly kind: 'database'; readonly chosen: boolean }

export interface ServerTarget {
  readonly kind: 'server'
  readonly endpoint: ServerEndpoint
  /** `null`: none was used. */
  readonly context: NamedContext | null
  /**
   * The server that the environment's credentials belong to, if it is another one. `null`: they may be sent to this
   * one.
   */
  readonly environmentIsFor: string | null
}

export type TargetOptions = SecurityOptions & Pick<ConnectionOptions, 'server' | 'context' | 'local'>

/** Creates the endpoint of an address. Throws if the options forbid it. */
type OpenEndpoint = (server: Address, options: SecurityOptions) => ServerEndpoint

/**
 * The target of a command: `--server`, `--context` or `--local`, QSCOPE_SERVER, QSCOPE_CONTEXT, the context in use, or
 * the configured database, in this order.
 */
export function targetOf(options: TargetOptions, open: OpenEndpoint = endpointForCredentials): Target {
  const given = [
    ['--server', options.server],
    ['--context', options.context],
    ['--local', options.local],
  ].filter(([, value]) => value !== undefined)
  if (given.length > 1) throw new UsageError(`give only one of ${given.map(([name]) => name).join(' and ')}`)
  if (options.local) return { kind: 'database', chosen: true }
  if (options.server !== undefined) return serverTarget(options.server, open(options.server, options), null)
  const environment = readEnvironment(process.env)
  const server = options.context === undefined ? variable(environment, 'QSCOPE_SERVER') : null
  if (server !== null) {
    const named = addressIn('QSCOPE_SERVER', server)
    return serverTarget(named, open(named, options), null)
  }
  const context = chosenContext(options)
  if (context === null) return { kind: 'database', chosen: false }
  return contextTarget(context, options, open)
}

/** The context for a command: `--context`, QSCOPE_CONTEXT, or the one in use. `null`: there is none. */
export function chosenContext({ context: given }: Pick<ConnectionOptions, 'context'>): NamedContext | null {
  const store = ContextStore.ofUser(process.env)
  const name = given ?? variable(readEnvironment(process.env), 'QSCOPE_CONTEXT') ?? store.current()
  return name === null ? null : { name, context: store.get(name) }
}

/** The server of a context. Security options of the command replace those of the context. */
export function contextTarget(
  context: NamedContext,
  options: SecurityOptions,
  open: OpenEndpoint = endpointForCredentials,
): ServerTarget {
  const server = addressIn(`the server of the context ${context.name}`, context.context.server)
  const security = hasSecurity(options) ? options : securityOf(context.context)
  return serverTarget(server, open(server, security), context)
}

function serverTarget(server: Address, endpoint: ServerEndpoint, context: NamedContext | null): ServerTarget {
  const named = serverOfEnvironment()
  return { kind: 'server', endpoint, context, environmentIsFor: named === formatAddress(server) ? null : named }
}

/** The server that the environment names, whatever the options say; `null`: it names none. */
function serverOfEnvironment(): string | null {
  const environment = readEnvironment(process.env)
  const server = variable(environment, 'QSCOPE_SERVER')
  if (server !== null) {
    const parsed = parseAddress(server)
    return parsed === null ? server : formatAddress(parsed)
  }
  const name = variable(environment, 'QSCOPE_CONTEXT')
  if (name === null) return null
  const context = isContextName(name) ? ContextStore.ofUser(process.env).find(name) : null
  return context?.server ?? `the context ${name}`
}

function hasSecurity({ tls, plaintext, caFile, certFile, keyFile }: SecurityOptions): boolean {
  return [tls, plaintext, caFile, certFile, keyFile].some((value) => value !== undefined)
}

function addressIn(place: string, text: string): Address {
  try {
    return address(text)
  } catch {
    throw new UsageError(`${place} should be host:port, not ${JSON.stringify(text)}`)
  }
}
