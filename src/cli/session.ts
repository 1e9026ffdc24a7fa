import type { Calls } from './calls.ts'
import { wayForSecrets } from './channel.ts'
import { openLocalCalls } from './local-calls.ts'
import type { ConnectionOptions } from './options.ts'
import { createOutput, type Output } from './output.ts'
import { openRemoteCalls } from './remote-calls.ts'
import { readCredentials } from './secrets.ts'

export interface SessionOptions {
  /** Whether the command only reads, and so makes no keyring file. */
  readonly readsOnly?: boolean
  /** Whether the answer is made with a key of the keyring, which must exist then. */
  readonly needsKeyringFile?: boolean
  /** Whether nothing is done while the keyring lacks a key that the database refers to; `true` unless told. */
  readonly insistOnKeys?: boolean
}

/** Opens the calls that the options ask for, works, and closes them again. */
export async function withCalls(
  options: ConnectionOptions,
  work: (calls: Calls, output: Output) => Promise<void>,
  { readsOnly = false, needsKeyringFile = false, insistOnKeys = true }: SessionOptions = {},
): Promise<void> {
  const credentials = readCredentials(options)
  const calls =
    options.server === undefined
      ? await openLocalCalls(credentials, { readsOnly, needsKeyringFile, insistOnKeys })
      : openRemoteCalls(wayForSecrets(options.server, options), credentials)
  try {
    await work(calls, createOutput(options.json ?? false))
  } finally {
    await calls.close()
  }
}

/** The same for commands that leave everything as it is. */
export async function readWithCalls(
  options: ConnectionOptions,
  work: (calls: Calls, output: Output) => Promise<void>,
): Promise<void> {
  await withCalls(options, work, { readsOnly: true })
}
