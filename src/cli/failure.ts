import { CommanderError } from 'commander'
import { ConfigError } from '../config/problems.ts'
import { firstLineOf } from '../message-of.ts'

import { DiffFailure } from './apply/diff-failure.ts'
import { PlanError } from './apply/plan-error.ts'
import { CallFailure } from './connection/calls.ts'
import { UsageError } from './options/options.ts'
import { writeError } from './output/terminal.ts'

const EXIT = Object.freeze({ ok: 0, failed: 1, usage: 2 })

/** Prints an error on standard error, one line for each problem. Returns the exit code. */
export function reportFailure(error: unknown): number {
  if (error instanceof DiffFailure) {
    reportFailure(error.cause)
    return EXIT.usage
  }
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
