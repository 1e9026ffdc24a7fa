import { setTimeout as sleep } from 'node:timers/promises'
import { durationMs, timestampFromMs } from '@bufbuild/protobuf/wkt'
import { Command } from 'commander'
import { DeviceService, type StartDeviceAuthorizationResponse } from '../../gen/qscope/v1/device_service_pb.ts'
import type { IssuedToken } from '../../gen/qscope/v1/token_pb.ts'
import { TokenService } from '../../gen/qscope/v1/token_service_pb.ts'
import { messageOf } from '../../message-of.ts'
import { type CallCredentials, CallFailure, type Calls } from '../connection/calls.ts'
import { readCredentials } from '../connection/credentials.ts'
import { loginCredentials, loginOf, sameServer } from '../connection/login.ts'
import { PollPace } from '../connection/poll-pace.ts'
import { RemoteCalls } from '../connection/remote-calls.ts'
import { chosenContext, contextTarget } from '../connection/target.ts'
import type { Login, NamedContext } from '../contexts/context.ts'
import { ContextStore } from '../contexts/context-store.ts'
import { type ConnectionOptions, omitUndefined, repeated, UsageError } from '../options/options.ts'
import { type OutputOptions, withOutput } from '../options/output-options.ts'
import { listText, Output } from '../output/output.ts'
import { writeError, writeNotice } from '../output/terminal.ts'

interface LoginOptions extends OutputOptions, Pick<ConnectionOptions, 'context' | 'clientId' | 'clientSecret'> {
  readonly scope?: string[]
  readonly audience?: string[]
}

/** RFC 8628. */
export function loginCommand(): Command {
  return withOutput(new Command('login'))
    .description('log in to the server of a context with your browser, and keep the tokens in the context')
    .option('--context <name>', 'log in to this context (or QSCOPE_CONTEXT)')
    .option('--client-id <id>', 'the client that gets the tokens (default: that of the last login, or of the context)')
    .option('--client-secret <secret>', 'its secret, if it has one; - prompts, or reads standard input')
    .addOption(repeated('--scope <scope>', 'requested scope (default: all scopes of the client)'))
    .addOption(repeated('--audience <audience>', 'requested audience'))
    .action(async (options: LoginOptions) => {
      const { name, context } = requiredContext(options)
      const clientId = options.clientId ?? context.login?.clientId
      const { client } = await readCredentials(
        { ...options, ...omitUndefined({ clientId }) },
        contextTarget({ name, context }, {}),
      )
      if (client === null) throw new UsageError('give --client-id, or set it in the context')
      const calls = callsOf({ name, context }, { client, bearer: null })
      try {
        const { scope: scopes = [], audience: audiences = [] } = options
        const token = await authorize(calls, { scopes, audiences })
        const login = loginOf(client.clientId, token)
        const before = await keepOrRevoke(login, { name, context })
        if (before !== undefined) await tryToRevoke(before, { name, context }, 'the login before')
        answer(name, login, options)
      } finally {
        await calls.close()
      }
    })
}

interface LogoutOptions extends OutputOptions, Pick<ConnectionOptions, 'context'> {
  readonly forget?: true
}

export function logoutCommand(): Command {
  return withOutput(new Command('logout'))
    .description('revoke and delete the tokens of a login')
    .option('--context <name>', 'log out of this context (or QSCOPE_CONTEXT)')
    .option('--forget', 'only delete the stored tokens, for example if the server no longer exists')
    .action(async (options: LogoutOptions) => {
      const chosen = requiredContext(options)
      const login = await end(chosen, { isRevoked: !options.forget })
      new Output(options).answer({
        document: () => ({ context: chosen.name, revoked: login !== undefined && !options.forget }),
        text: () => (login === undefined ? `nobody is logged in to ${chosen.name}` : `logged out of ${chosen.name}`),
        names: () => [chosen.name],
      })
    })
}

function requiredContext(options: Pick<ConnectionOptions, 'context'>): NamedContext {
  const chosen = chosenContext(options)
  if (chosen !== null) return chosen
  throw new UsageError('a login is stored in a context: create one with qscope context set <name> --server <host:port>')
}

function callsOf(context: NamedContext, credentials: CallCredentials): Calls {
  return new RemoteCalls(contextTarget(context, {}).endpoint, credentials)
}

/** Stores a login in its context, and returns the previous one. A login that cannot be stored is revoked. */
async function keepOrRevoke(login: Login, chosen: NamedContext): Promise<Login | undefined> {
  try {
    return await keep(login, chosen)
  } catch (error) {
    await tryToRevoke(login, chosen, 'this login')
    throw error
  }
}

/** Replaces the login of a context, and returns the previous one. Throws if the context has another server by now. */
async function keep(login: Login, { name, context }: NamedContext): Promise<Login | undefined> {
  let before: Login | undefined
  await ContextStore.ofUser(process.env).change(name, ({ login: former, ...current }) => {
    if (current.server !== context.server) {
      throw new Error(
        `the login to ${context.server} was not stored, because the context ${name} now names ${current.server}`,
      )
    }
    before = former
    return { ...current, login }
  })
  return before
}

/**
 * Removes the login from a context, and returns it. No other process logs in or refreshes meanwhile, so the removed
 * login is the revoked one. Throws if the context has another server by now.
 */
async function end(chosen: NamedContext, { isRevoked }: { readonly isRevoked: boolean }): Promise<Login | undefined> {
  const { name } = chosen
  let ended: Login | undefined
  await ContextStore.ofUser(process.env).change(name, async (current) => {
    const { login, ...rest } = sameServer(chosen, current)
    if (login === undefined) return current
    if (isRevoked) await revoke(login, { name, context: current })
    ended = login
    return rest
  })
  return ended
}

/** Says which client a login needs: the context may name one that never logs anybody in. */
async function startedBy<T>(start: () => Promise<T>): Promise<T> {
  try {
    return await start()
  } catch (error) {
    if (!(error instanceof CallFailure) || error.refusal.reason !== 'OAUTH_UNAUTHORIZED_CLIENT') throw error
    throw new Error(`${error.message}. A login needs a client with the grant device_code: name one by --client-id`, {
      cause: error,
    })
  }
}

interface Wanted {
  readonly scopes: readonly string[]
  readonly audiences: readonly string[]
}

/** Starts a device authorization, shows the user the URL, and polls until it is decided. */
async function authorize(calls: Calls, { scopes, audiences }: Wanted): Promise<IssuedToken> {
  const method = DeviceService.method.startDeviceAuthorization
  const started = await startedBy(() => calls.call(method, { scopes: [...scopes], audiences: [...audiences] }))
  writeNotice(
    [
      `Open ${started.verificationUri} in a browser, and enter the code ${started.userCode}`,
      ...(started.verificationUriComplete === '' ? [] : [`or open ${started.verificationUriComplete}`]),
      'Waiting for you to approve it',
      '',
    ].join('\n'),
  )
  return await poll(calls, started)
}

/** RFC 8628 §3.4, §3.5. If the server is unreachable, the polling interval grows. */
async function poll(calls: Calls, started: StartDeviceAuthorizationResponse): Promise<IssuedToken> {
  const { deviceCode, expiresIn, interval } = started
  const until = Date.now() + (expiresIn === undefined ? 0 : durationMs(expiresIn))
  const pace = new PollPace(interval === undefined ? null : durationMs(interval))
  while (Date.now() < until) {
    await sleep(Math.min(pace.waitMs, until - Date.now()))
    try {
      const { token } = await calls.call(DeviceService.method.redeemDeviceCode, { deviceCode })
      if (token !== undefined) return token
    } catch (error) {
      if (!(error instanceof CallFailure)) throw error
      const { reason, status, retryAfterMs } = error.refusal
      if (reason === 'OAUTH_DEVICE_SLOW_DOWN') pace.slowDown(retryAfterMs)
      else if (status === 'UNAVAILABLE') pace.backOff(retryAfterMs)
      else if (reason !== 'OAUTH_DEVICE_AUTHORIZATION_PENDING') throw error
    }
  }
  throw new Error('the login was not approved in time: run qscope login again')
}

/** RFC 7009 §2.1: revoking a refresh token also revokes the access tokens of its grant. */
async function revoke(login: Login, context: NamedContext): Promise<void> {
  const { client } = await readCredentials({}, contextTarget(context, {}))
  const calls = callsOf(context, loginCredentials(login, client))
  try {
    await calls.call(TokenService.method.revokeToken, { token: login.refreshToken ?? login.accessToken })
  } finally {
    await calls.close()
  }
}

async function tryToRevoke(login: Login, context: NamedContext, which: string): Promise<void> {
  try {
    await revoke(login, context)
  } catch (error) {
    writeError(`the tokens of ${which} are not revoked: ${messageOf(error)}`)
  }
}

function answer(context: string, login: Login, options: OutputOptions): void {
  const { clientId, scopes, expireTime } = login
  const output = new Output(options)
  output.answer({
    document: () => ({ context, clientId, scopes: [...scopes], expireTime, refreshes: login.refreshToken !== null }),
    text: () =>
      output.pairs([
        ['logged in to', context],
        ['client id', clientId],
        ['scopes', listText(scopes)],
        ['access token expires', timestampFromMs(Date.parse(expireTime))],
        ['afterwards', login.refreshToken === null ? 'log in again' : 'it is refreshed when it is needed'],
      ]),
    names: () => [context],
  })
}
