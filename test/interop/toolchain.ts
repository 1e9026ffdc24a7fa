import { execFile, execFileSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { delimiter, join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { installed } from '../setup/installed.ts'
import { missing } from '../setup/requirement.ts'

export const ROOT = resolve(import.meta.dirname, '..', '..')

/** A build from nothing fetches packages and compiles gRPC; one that follows it takes seconds. */
export const BUILD_MS = 600_000

interface Wanted {
  /** As `QSCOPE_TEST_REQUIRE` names it. */
  readonly name: string
  /** The suite that is skipped without. */
  readonly suite: string
  /** Each must be installed. */
  readonly programs: readonly string[]
  /** Asks the first program for its version. */
  readonly version: readonly string[]
  readonly atLeast: readonly [major: number, minor: number]
}

/** Whether what builds and runs a client is installed; if not, it is said by name what is missing. */
export function hasToolchain({ name, suite, programs, version, atLeast: [major, minor] }: Wanted): boolean {
  const wanted = `${programs.join(' and ')}, ${name} ${major}.${minor} or newer`
  const [first = ''] = programs
  const absent = programs.filter((program) => installed(program) === null)
  if (absent.length > 0) {
    missing(name, suite, `install ${wanted}; there is no ${absent.join(', ')}`)
    return false
  }
  const text = execFileSync(first, [...version], { encoding: 'utf8', env: environment() })
  const [, has = '0', hasMinor = '0'] = /(\d+)(?:\.(\d+))?/.exec(text) ?? []
  const isEnough = Number(has) > major || (Number(has) === major && Number(hasMinor) >= minor)
  if (!isEnough) missing(name, suite, `install ${wanted}; this is ${text.trim()}`)
  return isEnough
}

/** A folder that stays between runs, and is in nobody's way. */
export function cacheFolder(name: string): string {
  const folder = join(ROOT, '.cache', 'interop', name)
  mkdirSync(folder, { recursive: true })
  return folder
}

export interface RunOptions {
  /** The repository, unless told otherwise. */
  readonly cwd?: string
  /** A folder of programs that come before those of the machine. */
  readonly bin?: string
}

/** Runs a program to its end; one that fails throws what it said. */
export async function run(program: string, args: readonly string[], { cwd = ROOT, bin }: RunOptions = {}) {
  try {
    const options = { cwd, env: environment(bin), maxBuffer: 64 * 1024 * 1024 }
    return (await promisify(execFile)(program, args, options)).stdout
  } catch (error) {
    if (!(error instanceof Error && 'stdout' in error && 'stderr' in error)) throw error
    throw new Error(`${program} ${args.join(' ')} failed:\n${error.stdout}\n${error.stderr}`, { cause: error })
  }
}

function environment(bin?: string): NodeJS.ProcessEnv {
  const path = process.env['PATH'] ?? ''
  // Go takes its versions from the committed files alone.
  const GOFLAGS = '-mod=readonly -buildvcs=false'
  return { ...process.env, GOFLAGS, PATH: bin === undefined ? path : bin + delimiter + path }
}

/** Generates the stubs of one language with its own plugins. */
export async function generateStubs(language: string, options: RunOptions = {}): Promise<void> {
  const buf = join(ROOT, 'node_modules', '.bin', 'buf')
  await run(buf, ['generate', '--template', `clients/${language}/buf.gen.yaml`], options)
}

/** What is done at the first call, and waited for at all. */
export function once<T>(work: () => Promise<T>): () => Promise<T> {
  let done: Promise<T> | null = null
  return () => {
    done ??= work()
    return done
  }
}
