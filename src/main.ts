#!/usr/bin/env -S node --max-semi-space-size=4
// Most of what a call leaves behind is garbage at once: a small nursery keeps the process below 200 MB and costs nothing.
import { endOnSignalsAsFirstProcess } from './cli/first-process.ts'

// Before the rest of the program is loaded, which takes most of a start.
endOnSignalsAsFirstProcess()
const { runProgram } = await import('./cli/program.ts')
process.exitCode = await runProgram(process.argv.slice(2))
