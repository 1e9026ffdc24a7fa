#!/usr/bin/env node
import { endOnSignalsAsFirstProcess } from './cli/first-process.ts'

// Before the rest of the program is loaded, which takes most of a start.
endOnSignalsAsFirstProcess()
const { runProgram } = await import('./cli/program.ts')
process.exitCode = await runProgram(process.argv.slice(2))
