import { timestampMs } from '@bufbuild/protobuf/wkt'
import type { IssuedToken } from '../../gen/qscope/v1/token_pb.ts'
import { TokenService } from '../../gen/qscope/v1/token_service_pb.ts'
import type { Context, Login, NamedContext } from '../contexts/context.ts'
import { ContextStore } from '../contexts/context-store.ts'
import { UsageError } from '../options/options.ts'
import type { CallCredentials } from './calls.ts'
import { CallFailure } from './calls.ts'
import { RemoteCalls } from './remote-calls.ts'
import { contextTarget } from './target.ts'

/** A token that expires sooner is refreshed before use. */
const REFRESH_AHEAD_MS = 30_000

/** The part of a user's issued tokens that a context stores. */
export function loginOf(clientId: string, token: IssuedToken): Login {
  const { accessToken, refreshToken = null, expireTime, scopes } = token
  if (expireTime === undefined) throw new Error('the server issued a token without an expiry time')
  return {
    clientId,
    accessToken,
    refreshToken,
    expireTime: new Date(timestampMs(expireTime)).toISOString(),
    scopes: [...scopes],
  }
}

/** The client authentication of a login: the secret of the context, if it belongs to the same client. */
export function loginCredentials({ clientId }: Login, client: CallCredentials['client']): CallCredentials {
  return { client: client?.clientId === clientId ? client : { clientId, clientSecret: null }, bearer: null }
}

/**
 * The access token of a context's login. If it is about to expire, it is refreshed and the successor stored. Of
 * concurrent commands one refreshes, and the others use the stored result. Throws if the context has another server by
 * now, because its token must not be sent to the previous one.
 */
export async function loginToken(chosen: NamedContext, client: CallCredentials['client']): Promise<string> {
  const { name } = chosen
  const store = ContextStore.ofUser(process.env)
  const { login } = sameServer(chosen, store.get(name))
  if (login !== undefined && !endsSoon(login)) return login.accessToken
  const changed = await store.change(name, (context) => refreshed(name, sameServer(chosen, context), client))
  if (changed.login === undefined) throw new UsageError(`nobody is logged in to the context ${name}: run qscope login`)
  return changed.login.accessToken
}

/** The current state of a context. Throws if its server has changed since it was chosen. */
export function sameServer({ name, context }: NamedContext, current: Context): Context {
  if (current.server === context.server) return current
  throw new Error(
    `the server of the context ${name} changed from ${context.server} to ${current.server}: run the command again`,
  )
}

async function refreshed(name: string, context: Context, client: CallCredentials['client']): Promise<Context> {
  const { login } = context
  if (login === undefined || !endsSoon(login)) return context
  if (login.refreshToken === null) {
    if (Date.parse(login.expireTime) > Date.now()) return context
    throw new UsageError(`the login of the context ${name} has expired: run qscope login`)
  }
  const calls = new RemoteCalls(contextTarget({ name, context }, {}).endpoint, loginCredentials(login, client))
  try {
    const { token } = await calls.call(TokenService.method.refreshToken, { refreshToken: login.refreshToken })
    if (token === undefined) throw new Error('the answer of the server contains no token')
    const next = loginOf(login.clientId, token)
    return { ...context, login: { ...next, refreshToken: next.refreshToken ?? login.refreshToken } }
  } catch (error) {
    if (error instanceof CallFailure && error.refusal.reason === 'OAUTH_INVALID_GRANT') {
      throw new UsageError(`the login of the context ${name} has expired: run qscope login`)
    }
    throw error
  } finally {
    await calls.close()
  }
}

function endsSoon({ expireTime }: Login): boolean {
  return Date.parse(expireTime) - Date.now() < REFRESH_AHEAD_MS
}
