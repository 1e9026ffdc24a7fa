import { execFile, execFileSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { delimiter, join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { installed } from '../setup/installed.ts'
import { missing } from '../setup/requirement.ts'

export const ROOT = resolve(import.meta.dirname, '..', '..')

/** The first build fetches packages and compiles gRPC; later builds take seconds. */
export const BUILD_MS = 600_000

interface Wanted {
  /** The name in `QSCOPE_TEST_REQUIRE`. */
  readonly name: string
  /** The suite that is skipped without this toolchain. */
  readonly suite: string
  /** The required programs. */
  readonly programs: readonly string[]
  /** The arguments that make the first program print its version. */
  readonly version: readonly string[]
  readonly atLeast: readonly [major: number, minor: number]
}

/** Whether the toolchain of a client is installed. Reports by name what is missing. */
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

/** A folder below `.cache`, which is kept between runs. */
export function cacheFolder(name: string): string {
  const folder = join(ROOT, '.cache', 'interop', name)
  mkdirSync(folder, { recursive: true })
  return folder
}

export interface RunOptions {
  /** The working directory, by default the repository. */
  readonly cwd?: string
  /** A folder of programs that come before those of the machine. */
  readonly bin?: string
}

/** Runs a program to its end; throws its output if it fails. */
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
  // Go takes its versions only from the committed files.
  const GOFLAGS = '-mod=readonly -buildvcs=false'
  return { ...process.env, GOFLAGS, PATH: bin === undefined ? path : bin + delimiter + path }
}

/** Generates the stubs of one language with its own plugins. */
export async function generateStubs(language: string, options: RunOptions = {}): Promise<void> {
  const buf = join(ROOT, 'node_modules', '.bin', 'buf')
  await run(buf, ['generate', '--template', `clients/${language}/buf.gen.yaml`], options)
}

/** A function that does the work at its first call, and returns the same promise at each call. */
export function once<T>(work: () => Promise<T>): () => Promise<T> {
  let done: Promise<T> | null = null
  return () => {
    done ??= work()
    return done
  }
}
