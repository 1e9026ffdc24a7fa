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

/** Installs the generator where it is not, builds the site, and answers what the generator warned of, a line each. */
export function buildSite(): readonly string[] {
  if (!isGeneratorInstalled()) {
    run('npm', ['ci', '--ignore-scripts'])
    writeFileSync(INSTALLED, lockDigest())
  }
  const printed = run(process.execPath, [join(SITE, 'node_modules', 'vitepress', 'bin', 'vitepress.js'), 'build'])
  return printed.split('\n').filter((line) => /warn|\(!\)|deprecated|falling back/i.test(line))
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
