import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { installed } from './installed.ts'
import { missing } from './requirement.ts'

const BUILT = join(resolve(import.meta.dirname, '..', '..'), '.cache', 'bin')

/** The path of a program that `scripts/install-go-tools.sh` builds. `null`: it is missing, and the skipped tests were reported. */
export function goProgram(name: string, skipped: string): string | null {
  const found = installed(name, [BUILT, join(homedir(), 'go', 'bin')])
  if (found === null) {
    missing(name, skipped, 'it is not installed: run scripts/install-go-tools.sh, which needs Go 1.26 or newer')
  }
  return found
}
