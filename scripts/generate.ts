/**
 * Writes the code of the server and of the client package from proto/: `npm run
 * generate`. With `--check` it fails when the code that was there before differs.
 */
import { execFileSync } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..')
/** Each template and what it writes. */
const OUTPUTS = Object.freeze([
  { template: 'buf.gen.yaml', generated: 'src/gen' },
  { template: 'packages/client/buf.gen.yaml', generated: 'packages/client/src/gen' },
])

function generate(template: string): void {
  execFileSync('buf', ['generate', '--template', template], { cwd: root, stdio: 'inherit' })
}

function check(template: string, generated: string): void {
  const before = mkdtempSync(join(tmpdir(), 'qscope-gen-'))
  try {
    cpSync(join(root, generated), before, { recursive: true })
    generate(template)
    execFileSync('diff', ['-r', before, join(root, generated)], { stdio: 'inherit' })
  } catch {
    console.error(`${generated} was not in sync with proto/; it is now: commit it`)
    process.exitCode = 1
  } finally {
    rmSync(before, { recursive: true, force: true })
  }
}

for (const { template, generated } of OUTPUTS) {
  if (process.argv.includes('--check')) check(template, generated)
  else generate(template)
}
