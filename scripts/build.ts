/**
 * Bundles src/ into dist/, which `bin` and packages run: `npm run build`. The
 * packages it depends on stay apart. With `client`, compiles the client package
 * to its own dist/: `npm run build:client`.
 */
import { execFileSync } from 'node:child_process'
import { chmodSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'rolldown'

const root = join(import.meta.dirname, '..')
const EXECUTABLE = 0o755

/** The command line, and what runs in a process or thread of its own. All lie in one folder, as they expect of each other. */
const ENTRIES = [
  'main.ts',
  'app/worker-process.ts',
  'crypto/bcrypt-thread.ts',
  'stores/sql/dialects/sqlite/writer-thread.ts',
  'stores/sql/dialects/sqlite/scan-thread.ts',
  'stores/sql/dialects/libsql/libsql-writer-thread.ts',
  'stores/sql/dialects/libsql/libsql-scan-thread.ts',
]

/** Whatever is not named by a path. */
const OF_OTHERS = /^[^./]/

/** To load four hundred files takes a quarter of a second longer than to load a few: each start, and each command, waits for it. */
async function bundleServer(): Promise<void> {
  const dist = join(root, 'dist')
  rmSync(dist, { recursive: true, force: true })
  await build({
    input: ENTRIES.map((entry) => join(root, 'src', entry)),
    external: OF_OTHERS,
    platform: 'node',
    output: { dir: dist, format: 'esm', entryFileNames: '[name].js', chunkFileNames: '[name].js' },
    logLevel: 'warn',
  })
  chmodSync(join(dist, 'main.js'), EXECUTABLE)
}

function compileClient(): void {
  const folder = join(root, 'packages', 'client')
  rmSync(join(folder, 'dist'), { recursive: true, force: true })
  execFileSync('tsc', ['-p', 'tsconfig.build.json'], { cwd: folder, stdio: 'inherit' })
}

if (process.argv[2] === 'client') compileClient()
else await bundleServer()
