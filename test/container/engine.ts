import { execFile, spawn } from 'node:child_process'
import { chownSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { onTestFinished } from 'vitest'
import { freePort } from '../setup/free-port.ts'
import { installed } from '../setup/installed.ts'
import { missing } from '../setup/requirement.ts'

const SCRIPTS = resolve(import.meta.dirname, '..', '..', 'scripts', 'container')
const TOOLS = Object.freeze(['buildah', 'podman', 'runc', 'debootstrap', 'npm'])
const START_TIMEOUT_MS = 60_000

export const IMAGE = 'localhost/qscope:test'
/** The user id of the image. */
export const USER_ID = 65_532

/** The options of docs/container.md: no capabilities, no new privileges, only /data is writable. */
const CONFINED = Object.freeze([
  ...['--network', 'host', '--read-only', '--read-only-tmpfs=false'],
  ...['--cap-drop', 'all', '--security-opt', 'no-new-privileges'],
  // Not above the limits of the machine, which may be a container.
  ...['--ulimit', 'nofile=4096:4096', '--ulimit', 'nproc=4096:4096'],
])

const execute = promisify(execFile)

export const canBuild = (() => {
  const absent = TOOLS.filter((tool) => installed(tool) === null)
  if (absent.length === 0 && process.getuid?.() === 0) return true
  const why = absent.length > 0 ? `${absent.join(', ')} not installed` : 'it takes root'
  missing('container', 'the image, built and run', why)
  return false
})()

/** Builds the image on local replacements of the base images of the Dockerfile. */
export async function buildImage(): Promise<void> {
  const env = { ...process.env, QSCOPE_STAND_IN: '1' }
  await execute(join(SCRIPTS, 'stand-in-base.sh'), { env })
  await execute(join(SCRIPTS, 'build.sh'), [IMAGE], { env })
}

/** Runs podman to its end; throws if it fails. */
export async function podman(...args: readonly string[]): Promise<string> {
  return (await execute(join(SCRIPTS, 'podman.sh'), args, { maxBuffer: 64 * 1024 * 1024 })).stdout
}

/** Like `podman`, but also returns the exit code. */
export async function attempt(...args: readonly string[]) {
  try {
    return { code: 0, stdout: await podman(...args), stderr: '' }
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && 'stdout' in error && 'stderr' in error)) throw error
    return { code: error.code, stdout: String(error.stdout), stderr: String(error.stderr) }
  }
}

/** A folder that is removed when the test ends. */
export function testFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'qscope-container-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** A folder that replaces a volume, owned by the user of the image. */
export function testVolume(): string {
  const volume = join(testFolder(), 'data')
  mkdirSync(volume, { mode: 0o700 })
  chownSync(volume, USER_ID, USER_ID)
  return volume
}

/** The options of `podman run` for variables and for mounts, `from:to[:ro]`. */
export function options(env: Readonly<Record<string, string>>, mounts: readonly string[]): readonly string[] {
  const variables = Object.entries(env).flatMap(([name, value]) => ['--env', `${name}=${value}`])
  return [...CONFINED, ...variables, ...mounts.flatMap((mount) => ['--volume', mount])]
}

/** Runs one command of the image to its end. */
export function runOnce(args: readonly string[], env: Readonly<Record<string, string>>, mounts: readonly string[]) {
  return attempt('run', '--rm', ...options(env, mounts), IMAGE, ...args)
}

export type Container = Awaited<ReturnType<typeof startContainer>>

/** Runs the image in the foreground of a process, until it is stopped or the test ends. */
export async function startContainer(
  name: string,
  env: Readonly<Record<string, string>>,
  mounts: readonly string[],
  args: readonly string[] = [],
) {
  const command = ['run', '--rm', '--name', name, ...options(env, mounts), IMAGE, ...args]
  const child = spawn(join(SCRIPTS, 'podman.sh'), command, { stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
  }
  const ended = new Promise<number | null>((done) => child.once('close', done))
  onTestFinished(async () => {
    await attempt('rm', '--force', '--time', '0', name)
    await ended
  })
  return {
    ended,
    output: () => output,
    until: (pattern: RegExp) =>
      matched(
        () => output,
        pattern,
        () => child.exitCode !== null,
      ),
    exec: (...command: readonly string[]) => attempt('exec', name, ...command),
    isHealthy: async () => (await attempt('healthcheck', 'run', name)).code === 0,
    signal: (which: string) => podman('kill', '--signal', which, name),
  }
}

async function matched(text: () => string, pattern: RegExp, isOver: () => boolean): Promise<RegExpExecArray> {
  const end = Date.now() + START_TIMEOUT_MS
  while (Date.now() < end) {
    const match = pattern.exec(text())
    if (match !== null) return match
    if (isOver()) break
    await new Promise((next) => setTimeout(next, 20))
  }
  throw new Error(`the container never printed ${pattern}:\n${text()}`)
}

/** The variables of a plaintext server on a free port: containers share the network of the machine. */
export async function plaintext() {
  const port = await freePort()
  const env = {
    QSCOPE_GRPC_LISTEN: `0.0.0.0:${port}`,
    QSCOPE_INSECURE: '1',
    QSCOPE_ISSUER: 'https://tokens.example.com',
  }
  return { env, address: `127.0.0.1:${port}` }
}
