/**
 * Compiles src/ to dist/, which `bin` and packages run: `npm run build`; with
 * `client`, the client package to its own dist/: `npm run build:client`.
 */
import { execFileSync } from 'node:child_process'
import { chmodSync, rmSync } from 'node:fs'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..')
const EXECUTABLE = 0o755

function compile(folder: string): void {
  rmSync(join(folder, 'dist'), { recursive: true, force: true })
  execFileSync('tsc', ['-p', 'tsconfig.build.json'], { cwd: folder, stdio: 'inherit' })
}

if (process.argv[2] === 'client') {
  compile(join(root, 'packages', 'client'))
} else {
  compile(root)
  chmodSync(join(root, 'dist', 'main.js'), EXECUTABLE)
}
