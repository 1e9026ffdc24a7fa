import { readFileSync } from 'node:fs'
import { text as readAll } from 'node:stream/consumers'
import { whyUnreadable } from '../../config/quoted.ts'
import { UsageError } from '../options/options.ts'
import { askSecret } from './prompt.ts'

/**
 * A secret as it was given; for `-` what is on standard input, which keeps it out of
 * the list of processes. At a terminal it is asked for, and not shown.
 */
export async function readSecret(text: string | undefined, what: string): Promise<string | null> {
  if (text !== '-') return text ?? null
  if (process.stdin.isTTY === true) return await askSecret(`${what}: `)
  if (process.stdin.readableEnded)
    throw new UsageError('standard input holds one secret: give the other in another way')
  // Waits for the program that writes: a synchronous read of an empty pipe fails with EAGAIN.
  return (await readAll(process.stdin)).trim()
}

export function readSecretFile(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim()
  } catch (error) {
    throw new UsageError(`the file of the secret cannot be read: ${whyUnreadable(error)}`)
  }
}
