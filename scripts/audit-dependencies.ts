/**
 * Judges what QScope depends on: `npm run check:dependencies`.
 *
 * Always, from package.json and package-lock.json alone, of site/ too: dependency-rules.ts.
 * Where the registry answers: known vulnerabilities of what is shipped, and the
 * registry's signatures. Where it does not, that is said by name and is no
 * failure, so that the check runs offline; `--online` makes it one.
 */
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { dependencyProblems, type Lockfile, type Manifest } from './dependency-rules.ts'

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
for (const folder of FOLDERS) {
  const manifest = await read<Manifest>(join(folder, 'package.json'))
  const lockfile = await read<Lockfile>(join(folder, 'package-lock.json'))
  problems.push(...dependencyProblems(manifest, lockfile).map((problem) => join(folder, problem)))
}
const silent: string[] = []
problems.push(...(await vulnerabilities()), ...(await badSignatures()))
for (const what of silent) console.warn(`NOT CHECKED: ${what}; the registry does not answer`)
if (process.argv.includes('--online')) problems.push(...silent.map((what) => `${what} could not be checked`))
for (const problem of problems) console.error(problem)
if (problems.length > 0) process.exit(1)
console.log(`dependencies: sound${silent.length > 0 ? ', as far as could be checked' : ''}`)

async function read<T>(name: string): Promise<T> {
  return JSON.parse(await readFile(join(ROOT, name), 'utf8')) as T
}

async function vulnerabilities(): Promise<readonly string[]> {
  const report = REPORT.safeParse(await npm('audit', '--omit=dev', '--json'))
  if (!report.success) {
    silent.push('known vulnerabilities (npm audit)')
    return []
  }
  const found = Object.entries(report.data.vulnerabilities).map(([name, { severity, range }]) => ({
    severity,
    line: `npm audit: ${name} ${range} has a vulnerability of severity ${severity}`,
  }))
  for (const { severity, line } of found) if (!SERIOUS.has(severity)) console.warn(line)
  return found.filter(({ severity }) => SERIOUS.has(severity)).map(({ line }) => line)
}

async function badSignatures(): Promise<readonly string[]> {
  const report = SIGNATURES.safeParse(await npm('audit', 'signatures', '--json'))
  if (!report.success) {
    silent.push('signatures of the registry (npm audit signatures)')
    return []
  }
  const { invalid, missing } = report.data
  return [
    ...invalid.map(({ name, version }) => `npm audit signatures: ${name}@${version} is not what the registry signed`),
    ...missing.map(({ name, version }) => `npm audit signatures: ${name}@${version} is not signed`),
  ]
}

/** What npm prints as JSON; `null` for anything else. npm exits with 1 where it found something, too. */
async function npm(...args: readonly string[]): Promise<unknown> {
  const options = { cwd: ROOT, timeout: TIMEOUT_MS, maxBuffer: 64 * 1_024 * 1_024 }
  const text = await new Promise<string>((resolve) => {
    execFile('npm', ['--fetch-retries=0', ...args], options, (_error, stdout) => resolve(stdout))
  })
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
