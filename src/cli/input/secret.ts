import { readFileSync } from 'node:fs'
import { text as readAll } from 'node:stream/consumers'
import { whyUnreadable } from '../../config/quoted.ts'
import { UsageError } from '../options/options.ts'
import { askSecret } from './prompt.ts'

/**
 * The given secret. `-` reads it from standard input, so that it is not in the process list. On a terminal it is asked for
 * without being shown. Throws `UsageError` if there is none.
 */
export async function readSecret(text: string | undefined, what: string): Promise<string | null> {
  if (text !== '-') return text ?? null
  const isAsked = process.stdin.isTTY === true
  const secret = isAsked ? await askSecret(`${what}: `) : await readPiped()
  if (secret === '')
    throw new UsageError(`${isAsked ? 'nothing was typed' : 'standard input is empty'}: enter the ${what}`)
  return secret
}

/** The same for a required argument. */
export async function readSecretArgument(text: string, what: string): Promise<string> {
  return (await readSecret(text, what)) ?? ''
}

/** Waits for the writing program. A synchronous read of an empty pipe fails with EAGAIN. */
async function readPiped(): Promise<string> {
  if (process.stdin.readableEnded) {
    throw new UsageError('standard input can hold one secret only: give the other one in another way')
  }
  return (await readAll(process.stdin)).trim()
}

/** Throws `UsageError` where the file cannot be read, or is empty. */
export function readSecretFile(file: string, what = 'secret'): string {
  const secret = textOf(file, what).trim()
  if (secret === '') throw new UsageError(`the file of the ${what} is empty`)
  return secret
}

function textOf(file: string, what: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new UsageError(`the file of the ${what} cannot be read: ${whyUnreadable(error)}`)
  }
}
