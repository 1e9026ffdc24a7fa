/**
 * Compares proto/ with the contract of the last release: `npm run
 * check:baseline`; without `--check` it makes proto/ that contract, which is a
 * part of each release (docs/releases.md).
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..')
const folder = join('proto', 'baseline')
const baselines = readdirSync(join(root, folder))

function buf(...args: readonly string[]): void {
  execFileSync('buf', args, { cwd: root, stdio: 'inherit' })
}

if (process.argv.includes('--check')) {
  const [name = '', ...others] = baselines
  if (others.length > 0) throw new Error(`${folder} should have one file, the contract of the last release`)
  const baseline = join(folder, name)
  const directory = mkdtempSync(join(tmpdir(), 'qscope-proto-'))
  const current = join(directory, 'current.binpb')
  try {
    // As an image of one module, which can be compared with another; buf names the place of what breaks.
    buf('build', 'proto', '-o', current)
    buf('breaking', current, '--against', baseline)
  } catch {
    console.error(`proto/ breaks the contract of the last release, ${baseline}`)
    process.exitCode = 1
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
} else {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  for (const name of baselines) rmSync(join(root, folder, name))
  buf('build', 'proto', '--exclude-source-info', '-o', join(folder, `v${version}.binpb`))
}
