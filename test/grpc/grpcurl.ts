import { execFile } from 'node:child_process'
import { access } from 'node:fs/promises'
import { homedir } from 'node:os'
import { promisify } from 'node:util'

export const run = promisify(execFile)

/** Where `go install` puts it; tests that need it are skipped without. */
export const GRPCURL = `${homedir()}/go/bin/grpcurl`
export const hasGrpcurl = await access(GRPCURL).then(
  () => true,
  () => false,
)
