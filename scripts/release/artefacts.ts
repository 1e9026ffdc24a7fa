import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'

/** What one part of a release is made from, and where it goes. */
export interface ReleaseFolder {
  /** The checkout. */
  readonly root: string
  /** The part's own folder, empty. */
  readonly to: string
  readonly version: string
}

interface RunOptions {
  readonly cwd: string
  /** A folder of programs that come before those of the machine. */
  readonly bin?: string
}

/** Runs a program to its end, with what it prints shown; throws where it fails. */
function run(program: string, args: readonly string[], { cwd, bin }: RunOptions): void {
  const PATH = [bin, process.env['PATH']].filter((path) => path !== undefined).join(delimiter)
  execFileSync(program, [...args], { cwd, env: { ...process.env, PATH }, stdio: ['ignore', 'inherit', 'inherit'] })
}

/** Whether a program is on the machine, or was built by `scripts/install-go-tools.sh`. */
export function isInstalled(program: string, root: string): boolean {
  const folders = [builtTools(root), ...(process.env['PATH'] ?? '').split(delimiter)]
  return folders.some((folder) => existsSync(join(folder, program)))
}

function builtTools(root: string): string {
  return join(root, '.cache', 'bin')
}

/** The server and the client for TypeScript, as npm packs them; each compiles itself before. */
export function packNpm({ root, to }: ReleaseFolder): void {
  for (const folder of [root, join(root, 'packages', 'client')]) {
    run('npm', ['pack', '--pack-destination', to, '--loglevel=error'], { cwd: folder })
  }
}

/** The Go module with its stubs, in the layout that GOPROXY reads from a folder or any web server. */
export function packGo({ root, to, version }: ReleaseFolder): void {
  generateStubs(root, 'go')
  const folder = mkdtempSync(join(tmpdir(), 'qscope-go-'))
  try {
    const source = join(root, 'clients', 'go')
    // Only what is committed, and the stubs: no program that was built beside them.
    for (const file of committedFiles(source)) copy(source, folder, file)
    copy(source, folder, 'gen')
    cpSync(join(root, 'LICENSE'), join(folder, 'LICENSE'))
    run('go', ['run', '-C', join(root, 'scripts', 'go-tools'), './pack-module', folder, `v${version}`, to], {
      cwd: root,
    })
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** The wheel with its stubs, built with the versions that `requirements.txt` pins. */
export function packPython({ root, to }: ReleaseFolder): void {
  const environment = join(root, '.cache', 'release-python')
  const bin = join(environment, 'bin')
  const source = join(root, 'clients', 'python')
  // The last that a new environment gets.
  if (!existsSync(join(bin, 'pip'))) run('python3', ['-m', 'venv', environment], { cwd: root })
  const pip = (...args: string[]) => run(join(bin, 'python'), ['-m', 'pip', '--quiet', ...args], { cwd: root })
  pip('install', '--require-hashes', '--requirement', join(source, 'requirements.txt'))
  // buf must call the `python` of the environment.
  generateStubs(root, 'python', bin)
  pip('wheel', '--no-deps', '--no-build-isolation', '--wheel-dir', to, source)
}

/** The Maven artefact, in a repository that Maven reads from a folder or any web server. Its tests are not run here. */
export function packMaven({ root, to }: ReleaseFolder): void {
  const quiet = ['--quiet', '--batch-mode', '--no-transfer-progress', '-DskipTests']
  const repository = `-DaltDeploymentRepository=release::file://${to}`
  run('mvn', [...quiet, repository, 'deploy'], { cwd: join(root, 'clients', 'java') })
}

/** The Helm chart as an archive. */
export function packHelm({ root, to }: ReleaseFolder): void {
  run('helm', ['package', join(root, 'deploy', 'helm'), '--destination', to], { cwd: root, bin: builtTools(root) })
}

function generateStubs(root: string, language: string, bin?: string): void {
  const buf = join(root, 'node_modules', '.bin', 'buf')
  const options = bin === undefined ? { cwd: root } : { cwd: root, bin }
  run(buf, ['generate', '--template', `clients/${language}/buf.gen.yaml`], options)
}

function committedFiles(folder: string): readonly string[] {
  return execFileSync('git', ['ls-files', '-z'], { cwd: folder, encoding: 'utf8' }).split('\0').filter(Boolean)
}

function copy(from: string, to: string, name: string): void {
  mkdirSync(join(to, name, '..'), { recursive: true })
  cpSync(join(from, name), join(to, name), { recursive: true })
}
