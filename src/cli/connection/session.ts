import type { ConnectionOptions } from '../options/options.ts'
import { Output } from '../output/output.ts'
import { writeNotice } from '../output/terminal.ts'
import type { CallCredentials, Calls } from './calls.ts'
import { readCredentials } from './credentials.ts'
import type { LocalCallsOptions } from './local-calls.ts'
import { loginToken } from './login.ts'
import { RemoteCalls } from './remote-calls.ts'
import { type ServerTarget, type Target, targetOf } from './target.ts'

interface SessionOptions extends LocalCallsOptions {
  /** Whether the calls are open to anyone, so that no credentials are sent even if available. */
  readonly asNobody: boolean
  /** Whether the login of a context comes before the client of the context, although that has a secret. */
  readonly prefersLogin: boolean
}

const NOBODY: CallCredentials = Object.freeze({ client: null, bearer: null })

/** Opens the calls according to the options, runs the work, and closes them. */
export async function withCalls(
  options: ConnectionOptions,
  work: (calls: Calls, output: Output) => Promise<void>,
  {
    readsOnly = false,
    needsKeyringFile = false,
    requiresKeys = true,
    asNobody = false,
    prefersLogin = false,
  }: Partial<SessionOptions> = {},
): Promise<void> {
  const target = targetOf(options)
  const session = { readsOnly, needsKeyringFile, requiresKeys, asNobody, prefersLogin }
  const calls = await openCalls(target, options, session)
  try {
    await work(calls, new Output(options))
  } finally {
    await calls.close()
  }
}

/** The same for commands that change nothing. */
export async function readWithCalls(
  options: ConnectionOptions,
  work: (calls: Calls, output: Output) => Promise<void>,
  { asNobody = false }: Partial<Pick<SessionOptions, 'asNobody'>> = {},
): Promise<void> {
  await withCalls(options, work, { readsOnly: true, asNobody })
}

async function openCalls(target: Target, options: ConnectionOptions, session: SessionOptions): Promise<Calls> {
  if (target.kind === 'server') {
    const credentials = session.asNobody ? NOBODY : await serverCredentials(target, options, session)
    return new RemoteCalls(target.endpoint, credentials)
  }
  // The application is loaded on demand, because most commands call a server.
  const { LocalCalls } = await import('./local-calls.ts')
  const calls = await LocalCalls.open(session.asNobody ? NOBODY : await readCredentials(options, null), session)
  if (!target.chosen) {
    writeNotice(`qscope: working on ${calls.database}, as no server is given (--server, QSCOPE_SERVER or a context)\n`)
  }
  return calls
}

/** A client with a secret mints its own management token. Without a secret, the logged-in user is the caller. */
async function serverCredentials(
  target: ServerTarget,
  options: ConnectionOptions,
  { prefersLogin }: SessionOptions,
): Promise<CallCredentials> {
  const { context } = target
  const credentials = await readCredentials(options, target)
  const { client, bearer } = credentials
  const login = context?.context.login
  if (context === null || login === undefined || bearer !== null) return credentials
  const asAnother = options.clientId !== undefined && options.clientId !== login.clientId
  const hasSecret = client !== null && (client.clientSecret ?? client.clientAssertion ?? null) !== null
  const isOfContext = options.clientId === undefined && client?.clientId === context.context.clientId
  if (asAnother || (hasSecret && !(prefersLogin && isOfContext))) return credentials
  return { client, bearer: await loginToken(context, client) }
}
