/**
 * Judges what QScope depends on: `npm run check:dependencies`.
 *
 * Always, from package.json and package-lock.json alone, of site/ too: dependency-rules.ts; and that what the console
 * imports is asked for. Where the registry answers: known vulnerabilities of what is shipped, of what the console is
 * built of and of site/, and the registry's signatures of what is installed. What could not be checked is said by name and
 * is no failure, so that the check runs offline; `--online` makes it one.
 */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { glob, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import {
  dependencyProblems,
  importProblems,
  type Lockfile,
  type Manifest,
  packagesImported,
  withDependencies,
} from './dependency-rules.ts'

const TIMEOUT_MS = 60_000
const ROOT = join(import.meta.dirname, '..')

const REPORT = z.object({
  vulnerabilities: z.record(z.string(), z.object({ severity: z.string(), range: z.string() })),
})
const SIGNATURES = z.object({
  invalid: z.array(z.object({ name: z.string(), version: z.string() })),
  missing: z.array(z.object({ name: z.string(), version: z.string() })),
})
/** What fails the check; what is milder is printed. */
const SERIOUS: ReadonlySet<string> = new Set(['high', 'critical'])

/** The packages that have a lock file: QScope, and the generator of its site. */
const FOLDERS = ['.', 'site'] as const

const problems: string[] = []
const silent: string[] = []
for (const folder of FOLDERS) {
  const manifest = await read<Manifest>(join(folder, 'package.json'))
  const lockfile = await read<Lockfile>(join(folder, 'package-lock.json'))
  problems.push(...dependencyProblems(manifest, lockfile).map((problem) => join(folder, problem)))
  if (folder === '.') {
    const imported = await importsOf('console')
    problems.push(...importProblems('the console', imported, manifest))
    // It is built of packages that the server itself has no use for, and so are no dependencies of the package.
    const shipped = withDependencies(imported, lockfile)
    problems.push(...(await vulnerabilities(folder, { of: shipped })))
  }
  problems.push(...(await vulnerabilities(folder)), ...(await badSignatures(folder)))
}
for (const what of new Set(silent)) console.warn(`NOT CHECKED: ${what}`)
if (process.argv.includes('--online')) problems.push(...silent.map((what) => `could not be checked: ${what}`))
for (const problem of problems) console.error(problem)
if (problems.length > 0) process.exit(1)
console.log(`dependencies: sound${silent.length > 0 ? ', as far as could be checked' : ''}`)

async function read<T>(name: string): Promise<T> {
  return JSON.parse(await readFile(join(ROOT, name), 'utf8')) as T
}

/** The packages that the sources of a program import. */
async function importsOf(program: string): Promise<readonly string[]> {
  const names = new Set<string>()
  for await (const file of glob(`${program}/src/**/*.{ts,tsx}`, { cwd: ROOT })) {
    for (const name of packagesImported(await readFile(join(ROOT, file), 'utf8'))) names.add(name)
  }
  return [...names].toSorted()
}

/** Of the dependencies of a folder, or of these packages, tools of the development among them. */
async function vulnerabilities(
  folder: string,
  { of = null }: { readonly of?: ReadonlySet<string> | null } = {},
): Promise<readonly string[]> {
  const omitted = of === null ? ['--omit=dev'] : []
  const report = REPORT.safeParse(await npm(folder, 'audit', '--package-lock-only', ...omitted, '--json'))
  if (!report.success) {
    silent.push(
      `known vulnerabilities of ${join(folder, 'package-lock.json')} (npm audit); the registry does not answer`,
    )
    return []
  }
  const found = Object.entries(report.data.vulnerabilities)
    .filter(([name]) => of === null || of.has(name))
    .map(([name, { severity, range }]) => ({
      severity,
      line: `npm audit: ${name} ${range} of ${join(folder, 'package-lock.json')} has a vulnerability of severity ${severity}`,
    }))
  for (const { severity, line } of found) if (!SERIOUS.has(severity)) console.warn(line)
  return found.filter(({ severity }) => SERIOUS.has(severity)).map(({ line }) => line)
}

async function badSignatures(folder: string): Promise<readonly string[]> {
  const what = `signatures of the packages of ${join(folder, 'package-lock.json')} (npm audit signatures)`
  if (!existsSync(join(ROOT, folder, 'node_modules'))) {
    silent.push(`${what}; they are not installed`)
    return []
  }
  const report = SIGNATURES.safeParse(await npm(folder, 'audit', 'signatures', '--json'))
  if (!report.success) {
    silent.push(`${what}; the registry does not answer`)
    return []
  }
  const { invalid, missing } = report.data
  return [
    ...invalid.map(({ name, version }) => `npm audit signatures: ${name}@${version} is not what the registry signed`),
    ...missing.map(({ name, version }) => `npm audit signatures: ${name}@${version} is not signed`),
  ]
}

/** What npm prints as JSON; `null` for anything else. npm exits with 1 where it found something, too. */
async function npm(folder: string, ...args: readonly string[]): Promise<unknown> {
  const options = { cwd: join(ROOT, folder), timeout: TIMEOUT_MS, maxBuffer: 64 * 1_024 * 1_024 }
  const text = await new Promise<string>((resolve) => {
    execFile('npm', ['--fetch-retries=0', ...args], options, (_error, stdout) => resolve(stdout))
  })
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
