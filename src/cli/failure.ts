import { CommanderError } from 'commander'
import { ConfigError } from '../config/problems.ts'
import { firstLineOf } from '../message-of.ts'
import { CallFailure } from './calls.ts'
import { complain } from './terminal.ts'
import { UsageError } from './usage-error.ts'

export const EXIT = Object.freeze({ fine: 0, failed: 1, usage: 2 })

/** Says on standard error what went wrong, in one line a problem, and returns the exit code. */
export function reportFailure(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.fine : EXIT.usage
  if (error instanceof UsageError) {
    complain(error.message)
    return EXIT.usage
  }
  if (error instanceof ConfigError) {
    for (const problem of error.problems) complain(problem)
    return EXIT.failed
  }
  complain(error instanceof CallFailure ? error.message : firstLineOf(error))
  return EXIT.failed
}
