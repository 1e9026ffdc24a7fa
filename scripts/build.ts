/**
 * Compiles src/ to dist/, which `bin` and packages run, and the client package
 * to its own: `npm run build`. With `server` or `client` only that.
 */
import { execFileSync } from 'node:child_process'
import { chmodSync, rmSync } from 'node:fs'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..')
const EXECUTABLE = 0o755
const only = process.argv[2]

function compile(folder: string): void {
  rmSync(join(folder, 'dist'), { recursive: true, force: true })
  execFileSync('tsc', ['-p', 'tsconfig.build.json'], { cwd: folder, stdio: 'inherit' })
}

if (only !== 'client') {
  compile(root)
  chmodSync(join(root, 'dist', 'main.js'), EXECUTABLE)
}
if (only !== 'server') compile(join(root, 'packages', 'client'))
