import type { ConnectionOptions } from '../options/options.ts'
import { Output } from '../output/output.ts'
import { writeNotice } from '../output/terminal.ts'
import type { CallCredentials, Calls } from './calls.ts'
import { readCredentials } from './credentials.ts'
import { LocalCalls, type LocalCallsOptions } from './local-calls.ts'
import { loginToken } from './login.ts'
import { RemoteCalls } from './remote-calls.ts'
import { type ServerTarget, type Target, targetOf } from './target.ts'

/** Opens the calls that the options ask for, works, and closes them again. */
export async function withCalls(
  options: ConnectionOptions,
  work: (calls: Calls, output: Output) => Promise<void>,
  { readsOnly = false, needsKeyringFile = false, requiresKeys = true }: Partial<LocalCallsOptions> = {},
): Promise<void> {
  const target = targetOf(options)
  const calls = await openCalls(target, options, { readsOnly, needsKeyringFile, requiresKeys })
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
): Promise<void> {
  await withCalls(options, work, { readsOnly: true })
}

async function openCalls(target: Target, options: ConnectionOptions, local: LocalCallsOptions): Promise<Calls> {
  if (target.kind === 'server') return new RemoteCalls(target.endpoint, await serverCredentials(target, options))
  const calls = await LocalCalls.open(await readCredentials(options, null), local)
  if (!target.chosen) {
    writeNotice(`qscope: working on ${calls.database}, as no server is given (--server, QSCOPE_SERVER or a context)\n`)
  }
  return calls
}

/**
 * A client that has a secret gets a management token of its own; without one, the
 * user who logged in is who calls.
 */
async function serverCredentials({ context }: ServerTarget, options: ConnectionOptions): Promise<CallCredentials> {
  const credentials = await readCredentials(options, context?.context ?? null)
  const { client, bearer } = credentials
  const login = context?.context.login
  if (context === null || login === undefined || bearer !== null) return credentials
  const asAnother = options.clientId !== undefined && options.clientId !== login.clientId
  if (asAnother || (client !== null && client.clientSecret !== null)) return credentials
  return { client, bearer: await loginToken(context.name, client) }
}
