#!/usr/bin/env -S MALLOC_ARENA_MAX=1 node --max-semi-space-size=8 --heap-growing-percent=40 --disable-sigusr1
// Most of what a call leaves behind is garbage soon: not to let it pile up, and not to keep what was freed in an arena for
// each thread, takes half off the resident memory, and a few percent off the throughput (docs/benchmarks).
import {
  disableDebuggerSignal,
  exitOnSignalsAsFirstProcess,
  exitWhenNobodyReads,
  ignoreReloadSignalsAsServer,
  nodeVersionProblem,
} from './cli/bootstrap.ts'

// Before the rest of the program is loaded, which takes most of a start.
exitOnSignalsAsFirstProcess()
ignoreReloadSignalsAsServer(process.argv.slice(2))
exitWhenNobodyReads(process.argv.slice(2))
disableDebuggerSignal()
const problem = nodeVersionProblem(process.version)
if (problem === null) {
  const { runProgram } = await import('./cli/program.ts')
  process.exitCode = await runProgram(process.argv.slice(2))
} else {
  process.stderr.write(`qscope: ${problem}\n`)
  process.exitCode = 1
}
