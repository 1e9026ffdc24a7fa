import { execFile } from 'node:child_process'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { installed } from './installed.ts'
import { missing } from './requirement.ts'

export const run = promisify(execFile)

const CACHE = join(resolve(import.meta.dirname, '..', '..'), '.cache', 'bin')
const found = installed('grpcurl', [CACHE, join(homedir(), 'go', 'bin')])
if (found === null) {
  missing(
    'grpcurl',
    'what is called with grpcurl',
    'it is not installed: run scripts/install-grpcurl.sh, which needs Go',
  )
}

/** Tests that need it are skipped without. */
export const GRPCURL = found ?? 'grpcurl'
export const hasGrpcurl = found !== null
