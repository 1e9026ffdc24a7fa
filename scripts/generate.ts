/**
 * Writes src/gen from proto/: `npm run generate`. With `--check` it fails when
 * the code that was there before differs.
 */
import { execFileSync } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..')
const generated = join(root, 'src', 'gen')

function generate(): void {
  execFileSync('buf', ['generate'], { cwd: root, stdio: 'inherit' })
}

if (process.argv.includes('--check')) {
  const before = mkdtempSync(join(tmpdir(), 'qscope-gen-'))
  try {
    cpSync(generated, before, { recursive: true })
    generate()
    execFileSync('diff', ['-r', before, generated], { stdio: 'inherit' })
  } catch {
    console.error('src/gen was not in sync with proto/; it is now: commit it')
    process.exitCode = 1
  } finally {
    rmSync(before, { recursive: true, force: true })
  }
} else {
  generate()
}
