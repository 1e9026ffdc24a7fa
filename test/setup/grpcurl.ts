import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { goProgram } from './go-programs.ts'

export const run = promisify(execFile)

const found = goProgram('grpcurl', 'what is called with grpcurl')

/** Without it, tests that need it are skipped. */
export const GRPCURL = found ?? 'grpcurl'
export const hasGrpcurl = found !== null
