import { CommanderError } from 'commander'
import { ConfigError } from '../config/problems.ts'
import { firstLineOf } from '../message-of.ts'
import { PlanError } from './apply/plan-error.ts'
import { CallFailure } from './calls.ts'
import { writeError } from './terminal.ts'

const EXIT = Object.freeze({ ok: 0, failed: 1, usage: 2 })

/** The command was called wrongly: exit code 2. */
export class UsageError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'UsageError'
  }
}

/** Prints on standard error what went wrong, one line a problem, and returns the exit code. */
export function reportFailure(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage
  if (error instanceof UsageError) {
    writeError(error.message)
    return EXIT.usage
  }
  if (error instanceof ConfigError || error instanceof PlanError) {
    for (const problem of error.problems) writeError(problem)
    return EXIT.failed
  }
  writeError(error instanceof CallFailure ? error.message : firstLineOf(error))
  return EXIT.failed
}
