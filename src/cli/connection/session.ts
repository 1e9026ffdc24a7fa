import type { ConnectionOptions } from '../options/options.ts'
import { Output } from '../output/output.ts'
import type { Calls } from './calls.ts'
import { endpointForCredentials } from './endpoint.ts'
import { readCredentials } from './environment.ts'
import { LocalCalls, type LocalCallsOptions } from './local-calls.ts'
import { RemoteCalls } from './remote-calls.ts'

/** Opens the calls that the options ask for, works, and closes them again. */
export async function withCalls(
  options: ConnectionOptions,
  work: (calls: Calls, output: Output) => Promise<void>,
  { readsOnly = false, needsKeyringFile = false, requiresKeys = true }: Partial<LocalCallsOptions> = {},
): Promise<void> {
  const credentials = readCredentials(options)
  const calls =
    options.server === undefined
      ? await LocalCalls.open(credentials, { readsOnly, needsKeyringFile, requiresKeys })
      : new RemoteCalls(endpointForCredentials(options.server, options), credentials)
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
