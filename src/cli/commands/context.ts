import { resolve } from 'node:path'
import { Command } from 'commander'
import { formatAddress } from '../../config/address.ts'
import { hasProof, type ProofOptions } from '../connection/credentials.ts'
import { endpointForCredentials } from '../connection/endpoint.ts'
import { chosenContext } from '../connection/target.ts'
import {
  type Context,
  type ContextSecurity,
  isContextName,
  type NamedContext,
  newContext,
  securityOf,
} from '../contexts/context.ts'
import { ContextStore } from '../contexts/context-store.ts'
import { type ConfirmationOptions, confirm, withConfirmation } from '../input/prompt.ts'
import { readSecret } from '../input/secret.ts'
import { address, type ConnectionOptions, UsageError } from '../options/options.ts'
import { type OutputOptions, withOutput } from '../options/output-options.ts'
import { Output } from '../output/output.ts'
import { writeNotice } from '../output/terminal.ts'
import { contextJson, contextView } from '../views/context.ts'

export function contextCommand(): Command {
  return new Command('context')
    .description('manage contexts: servers that you call, with your credentials; kept in your configuration directory')
    .addCommand(setCommand())
    .addCommand(useCommand())
    .addCommand(listCommand())
    .addCommand(showCommand())
    .addCommand(deleteCommand())
}

type SetOptions = OutputOptions &
  ProofOptions &
  Pick<ConnectionOptions, 'server' | 'tls' | 'plaintext' | 'caFile' | 'certFile' | 'keyFile' | 'clientId'>

function setCommand(): Command {
  return withOutput(new Command('set'))
    .description('create a context, or change settings of an existing one; the first context becomes the current one')
    .argument('<name>')
    .option('--server <host:port>', 'address of the server', address)
    .option('--tls', 'use TLS, with a certificate that this machine trusts')
    .option('--ca-file <path>', 'use TLS, with a certificate of this CA')
    .option('--cert-file <path>', 'client certificate to present to the server')
    .option('--key-file <path>', 'its private key')
    .option('--plaintext', 'allow plaintext credentials to another machine')
    .option('--client-id <id>', 'call as this client')
    .option('--client-secret <secret>', 'its secret, stored in the context; - prompts, or reads standard input')
    .option('--client-secret-file <path>', 'file with its secret; the context keeps only the path')
    .option(
      '--client-assertion-file <path>',
      'file with the token of its platform (federated_jwt); the context keeps only the path',
    )
    .action(async (name: string, options: SetOptions) => {
      if (!isContextName(name))
        throw new UsageError('a name must be 1 to 64 characters of A-Z a-z 0-9 . _ - and must not begin with . or -')
      const store = ContextStore.ofUser(process.env)
      const secret = await readSecret(options.clientSecret, 'client secret')
      const change = (before: Context | null) => changed(before, options, secret)
      const before = store.find(name)
      if (before === null) store.save({ name, context: change(null) })
      else await store.change(name, change)
      if (store.current() === null) store.use(name)
      const context = store.get(name)
      if (before?.login !== undefined && context.login === undefined) {
        writeNotice(
          'qscope: note: the login to the previous server was removed from the context; its tokens were not revoked\n',
        )
      }
      show({ name, context }, options)
    })
}

/** Throws if every call would be refused. */
function changed(before: Context | null, options: SetOptions, secret: string | null): Context {
  const server = options.server === undefined ? before?.server : formatAddress(options.server)
  if (server === undefined) throw new UsageError('a new context requires --server')
  const isProved = hasProof(options)
  if (before !== null && before.server !== server && !isProved) refuseToMoveSecret(before, server, options)
  const clientId = options.clientId ?? before?.clientId
  if (clientId === undefined && isProved) throw new UsageError('a client secret or assertion requires --client-id')
  const context = {
    ...newContext(server),
    ...securityFrom(options, before?.server === server ? before : withoutLeave(before)),
    ...(clientId !== undefined && { clientId }),
    ...proofFrom(options, before, secret),
    // Tokens belong to the server that issued them.
    ...(before?.login !== undefined && before.server === server && { login: before.login }),
  }
  endpointForCredentials(address(server), securityOf(context))
  return context
}

/**
 * A secret, or the token of a platform, is for the server of the context and is sent to no other. A secret may be the only
 * copy, so it is not deleted.
 */
function refuseToMoveSecret(before: Context, server: string, options: SetOptions): void {
  const { clientId, clientAssertionFile } = before
  if (!hasProof(before)) return
  if (options.clientId !== undefined && options.clientId !== clientId) return
  const [held, other] =
    clientAssertionFile === undefined
      ? ['the secret', 'the secret for it with --client-secret - or --client-secret-file']
      : ['the assertion file', 'the assertion file for it with --client-assertion-file']
  throw new UsageError(
    `the context contains ${held} of ${clientId} for ${before.server}, which is not sent to ${server}: give ${other}, or create another context for ${server}`,
  )
}

/** Sending credentials in plaintext was allowed only for the previous server. */
function withoutLeave(before: Context | null): Context | null {
  if (before === null) return null
  const { plaintext: _plaintext, ...rest } = before
  return rest
}

/** The TLS settings belong together: new ones replace all previous ones. */
function securityFrom(options: SetOptions, before: Context | null): ContextSecurity {
  const { tls, plaintext, caFile, certFile, keyFile } = options
  const given = {
    ...(tls && { tls }),
    ...(plaintext && { plaintext }),
    ...(caFile !== undefined && { caFile: resolve(caFile) }),
    ...(certFile !== undefined && { certFile: resolve(certFile) }),
    ...(keyFile !== undefined && { keyFile: resolve(keyFile) }),
  }
  return Object.keys(given).length > 0 || before === null ? given : securityOf(before)
}

/** The given secret or assertion file, or the previous one if the client is the same. */
function proofFrom(options: SetOptions, before: Context | null, secret: string | null): Partial<Context> {
  if (options.clientAssertionFile !== undefined) return { clientAssertionFile: resolve(options.clientAssertionFile) }
  if (options.clientSecretFile !== undefined) return { clientSecretFile: resolve(options.clientSecretFile) }
  if (secret !== null) return { clientSecret: secret }
  if (before === null || (options.clientId !== undefined && options.clientId !== before.clientId)) return {}
  return {
    ...(before.clientSecret !== undefined && { clientSecret: before.clientSecret }),
    ...(before.clientSecretFile !== undefined && { clientSecretFile: before.clientSecretFile }),
    ...(before.clientAssertionFile !== undefined && { clientAssertionFile: before.clientAssertionFile }),
  }
}

function useCommand(): Command {
  return withOutput(new Command('use'))
    .description('make a context the current one; without a name, unset the current one')
    .argument('[name]')
    .action((name: string | undefined, options: OutputOptions) => {
      const store = ContextStore.ofUser(process.env)
      if (name !== undefined) store.get(name)
      store.use(name ?? null)
      new Output(options).answer({
        document: () => ({ context: name ?? null }),
        text: () => (name === undefined ? 'no context is in use' : `using ${name}`),
        names: () => (name === undefined ? [] : [name]),
      })
    })
}

function listCommand(): Command {
  return withOutput(new Command('list'))
    .description('list your contexts')
    .action((options: OutputOptions) => {
      const store = ContextStore.ofUser(process.env)
      const current = store.current()
      const shown = store.names().map((name) => ({ name, context: store.get(name), inUse: name === current }))
      new Output(options).list(contextView, shown, () => ({ contexts: shown.map(contextJson) }))
    })
}

function showCommand(): Command {
  return withOutput(new Command('show'))
    .description('show a context, its secrets masked (default: the current one)')
    .argument('[name]')
    .action((name: string | undefined, options: OutputOptions) => {
      const chosen = chosenContext(name === undefined ? {} : { context: name })
      if (chosen === null) throw new Error('no context is selected: select one with qscope context use')
      show(chosen, options)
    })
}

function deleteCommand(): Command {
  return withConfirmation(withOutput(new Command('delete')))
    .description('delete a context and its secrets; to revoke the tokens of a login, run qscope logout first')
    .argument('<name>')
    .action(async (name: string, options: OutputOptions & ConfirmationOptions) => {
      const store = ContextStore.ofUser(process.env)
      if (!store.names().includes(name)) store.get(name)
      await confirm(options, `This deletes the context ${name} and the secrets in it`)
      store.delete(name)
      new Output(options).answer({
        document: () => ({ deleted: name }),
        text: () => `deleted ${name}`,
        names: () => [name],
      })
    })
}

function show(context: NamedContext, options: OutputOptions): void {
  const shown = { ...context, inUse: ContextStore.ofUser(process.env).current() === context.name }
  new Output(options).object(contextView, shown, () => ({ context: contextJson(shown) }))
}
