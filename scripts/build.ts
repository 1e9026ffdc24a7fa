/**
 * Bundles src/ into dist/, which `bin` and packages run, and the console into
 * dist/console: `npm run build`. The packages that the server depends on stay
 * apart; the console holds its own. With `console`, bundles that alone: `npm run
 * build:console`, which `npm ci` does in the end. With `client`, compiles the client
 * package to its own dist/: `npm run build:client`.
 */
import { execFileSync } from 'node:child_process'
import { chmodSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'
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

/** Compressed here, as small as can be, so that no server spends time on it. */
async function bundleConsole(): Promise<void> {
  const { build: bundle } = await import('vite')
  await bundle({ configFile: join(root, 'console', 'vite.config.ts'), logLevel: 'warn' })
  const folder = join(root, 'dist', 'console')
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  for (const path of files.map(({ parentPath, name }) => join(parentPath, name))) {
    const bytes = readFileSync(path)
    writeFileSync(`${path}.gz`, gzipSync(bytes, { level: constants.Z_BEST_COMPRESSION }))
    writeFileSync(`${path}.br`, brotliCompressSync(bytes))
  }
}

switch (process.argv[2]) {
  case 'client':
    compileClient()
    break
  case 'console':
    await bundleConsole()
    break
  default:
    await bundleServer()
    await bundleConsole()
}
