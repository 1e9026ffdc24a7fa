import type { Address } from '../../config/address.ts'
import { readEnvironment, variable } from '../../config/environment.ts'
import { type NamedContext, securityOf } from '../contexts/context.ts'
import { ContextStore } from '../contexts/context-store.ts'
import { address, type ConnectionOptions, UsageError } from '../options/options.ts'
import { endpointForCredentials, type SecurityOptions, type ServerEndpoint } from './endpoint.ts'

/** What a command works on. */
export type Target =
  | ServerTarget
  /** `chosen`: whether somebody said so, or nothing else was said. */
  | { readonly kind: 'database'; readonly chosen: boolean }

export interface ServerTarget {
  readonly kind: 'server'
  readonly endpoint: ServerEndpoint
  /** `null`: none was used. */
  readonly context: NamedContext | null
}

export type TargetOptions = SecurityOptions & Pick<ConnectionOptions, 'server' | 'context' | 'local'>

/** Makes the endpoint of an address; throws where the options do not let it. */
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
  if (options.server !== undefined) return { kind: 'server', endpoint: open(options.server, options), context: null }
  const environment = readEnvironment(process.env)
  const server = options.context === undefined ? variable(environment, 'QSCOPE_SERVER') : null
  if (server !== null) {
    return { kind: 'server', endpoint: open(addressIn('QSCOPE_SERVER', server), options), context: null }
  }
  const context = chosenContext(options)
  if (context === null) return { kind: 'database', chosen: false }
  return contextTarget(context, options, open)
}

/** The context that a command is about: `--context`, QSCOPE_CONTEXT, or the one in use; `null`: there is none. */
export function chosenContext({ context: given }: Pick<ConnectionOptions, 'context'>): NamedContext | null {
  const store = ContextStore.ofUser(process.env)
  const name = given ?? variable(readEnvironment(process.env), 'QSCOPE_CONTEXT') ?? store.current()
  return name === null ? null : { name, context: store.get(name) }
}

/** The server of a context; security options of the command stand for those of the context. */
export function contextTarget(
  context: NamedContext,
  options: SecurityOptions,
  open: OpenEndpoint = endpointForCredentials,
): ServerTarget {
  const { server } = context.context
  const security = hasSecurity(options) ? options : securityOf(context.context)
  return {
    kind: 'server',
    endpoint: open(addressIn(`the server of the context ${context.name}`, server), security),
    context,
  }
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
