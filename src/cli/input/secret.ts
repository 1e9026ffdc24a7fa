import { readFileSync } from 'node:fs'
import { whyUnreadable } from '../../config/quoted.ts'
import { UsageError } from '../options/options.ts'
import { askSecret } from './prompt.ts'

const STDIN = 0

/**
 * A secret as it was given; for `-` what is on standard input, which keeps it out of
 * the list of processes. At a terminal it is asked for, and not shown.
 */
export async function readSecret(text: string | undefined, what: string): Promise<string | null> {
  if (text !== '-') return text ?? null
  return process.stdin.isTTY === true ? await askSecret(`${what}: `) : readSecretFile(STDIN)
}

export function readSecretFile(file: string | number): string {
  try {
    return readFileSync(file, 'utf8').trim()
  } catch (error) {
    throw new UsageError(`the file of the secret cannot be read: ${whyUnreadable(error)}`)
  }
}
