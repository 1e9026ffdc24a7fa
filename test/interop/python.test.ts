import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { BUILD_MS, cacheFolder, generateStubs, hasToolchain, ROOT, run } from './toolchain.ts'
import { describeTour } from './tour.ts'

const hasPython = hasToolchain({
  name: 'python',
  suite: 'the client in Python',
  programs: ['python3'],
  version: ['--version'],
  atLeast: [3, 11],
})
const SOURCE = join(ROOT, 'clients', 'python')
const ENVIRONMENT = join(cacheFolder('python'), 'environment')
const PINNED = join(SOURCE, 'requirements.txt')
/** Beside the environment: the versions that are in it. */
const INSTALLED = join(ENVIRONMENT, 'installed.txt')
const python = (...args: string[]) => run(join(ENVIRONMENT, 'bin', 'python'), args, { cwd: SOURCE })

/** Of the pinned versions, made once for each set of them. */
async function makeEnvironment(): Promise<void> {
  const wanted = readFileSync(PINNED, 'utf8')
  if (existsSync(INSTALLED) && readFileSync(INSTALLED, 'utf8') === wanted) return
  await run('python3', ['-m', 'venv', '--clear', ENVIRONMENT])
  await python('-m', 'pip', 'install', '--quiet', '--require-hashes', '--requirement', PINNED)
  writeFileSync(INSTALLED, wanted)
}

describeTour('Python', hasPython, {
  build: async () => {
    await makeEnvironment()
    // buf calls `python`, which is to be the environment's.
    await generateStubs('python', { bin: join(ENVIRONMENT, 'bin') })
    await python('-m', 'pip', 'install', '--quiet', '--no-deps', '--no-build-isolation', '--force-reinstall', '.')
  },
  take: (settings) => python('-m', 'tour', settings),
})

describe.skipIf(!hasPython)('the package for Python', () => {
  it(
    'is formatted, linted and typed, and holds what its own tests say',
    async () => {
      await python('-m', 'ruff', 'format', '--check', '.')
      await python('-m', 'ruff', 'check', '.')
      await python('-m', 'mypy')
      await python('-m', 'unittest', 'discover', '-s', 'tests')
      expect(await python('-c', 'import qscope_client; print(qscope_client.__file__)')).toContain(ENVIRONMENT)
    },
    BUILD_MS,
  )
})
