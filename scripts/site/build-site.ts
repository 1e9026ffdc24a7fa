import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export const SITE = join(import.meta.dirname, '..', '..', 'site')
/** Where the built site is: files for any web server, at the root of a host. */
export const BUILT_SITE = join(SITE, 'dist')
/** Written once all packages are installed, with the digest of the lock file that they are of. */
const INSTALLED = join(SITE, 'node_modules', '.installed')

/** Whether the packages that the lock file names are there. */
export function isGeneratorInstalled(): boolean {
  return existsSync(INSTALLED) && readFileSync(INSTALLED, 'utf8') === lockDigest()
}

/** The generator cannot be installed, because the registry does not answer. */
export class RegistryDoesNotAnswer extends Error {
  constructor(cause: unknown) {
    super('the generator of the site is not installed, and the package registry does not answer', { cause })
    this.name = 'RegistryDoesNotAnswer'
  }
}

/** Installs the generator where it is not (or throws `RegistryDoesNotAnswer`), builds the site, and answers what the generator warned of, a line each. */
export function buildSite(): readonly string[] {
  if (!isGeneratorInstalled()) {
    install()
    writeFileSync(INSTALLED, lockDigest())
  }
  const printed = run(process.execPath, [join(SITE, 'node_modules', 'vitepress', 'bin', 'vitepress.js'), 'build'])
  return printed.split('\n').filter((line) => /warn|\(!\)|deprecated|falling back/i.test(line))
}

function install(): void {
  try {
    run('npm', ['ci', '--ignore-scripts'])
  } catch (error) {
    throw registryAnswers() ? error : new RegistryDoesNotAnswer(error)
  }
}

function registryAnswers(): boolean {
  return spawnSync('npm', ['view', 'vitepress', 'version', '--fetch-retries=0'], { cwd: SITE }).status === 0
}

function lockDigest(): string {
  return createHash('sha256')
    .update(readFileSync(join(SITE, 'package-lock.json')))
    .digest('hex')
}

function run(program: string, args: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync(program, args, { cwd: SITE, encoding: 'utf8' })
  if (status !== 0) throw new Error(`${program} ${args.join(' ')} failed`, { cause: error ?? `${stdout}${stderr}` })
  return stdout + stderr
}
