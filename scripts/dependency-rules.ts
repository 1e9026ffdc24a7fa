/** A package as package-lock.json has it. */
export interface LockedPackage {
  readonly version?: string
  /** Where it comes from; left out for the registry (`omit-lockfile-registry-resolved` in .npmrc). */
  readonly resolved?: string
  readonly integrity?: string
  readonly license?: string
  readonly link?: boolean
  readonly hasInstallScript?: boolean
  readonly dependencies?: Readonly<Record<string, string>>
}

/** What is read of package-lock.json. */
export interface Lockfile {
  readonly packages: Readonly<Record<string, LockedPackage>>
}

/** What is read of package.json. */
export interface Manifest {
  readonly dependencies?: Readonly<Record<string, string>>
  readonly devDependencies?: Readonly<Record<string, string>>
  readonly overrides?: Readonly<Record<string, unknown>>
  /** Whose install scripts were judged: `true` they run, `false` they do not. */
  readonly allowScripts?: Readonly<Record<string, boolean>>
}

/** Permissive, given to the public (CC0-1.0, a tool of the tests), or binding only those who change the package itself (MPL-2.0, a tool of the tests). */
const LICENCES: ReadonlySet<string> = new Set([
  '0BSD',
  'Apache-2.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'CC0-1.0',
  'ISC',
  'MIT',
  'MPL-2.0',
])
const EXACT = /^\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?$/
const IMPORT = /^(?:import|export)\b(?:[^'"]*?\bfrom)?\s*['"]([^'"]+)['"]/gm
/** SHA-512, 64 bytes in base64. */
const INTEGRITY = /^sha512-[A-Za-z0-9+/]{86}==$/

/** Everything wrong with what is depended on, a line each, as far as the files tell. */
export function dependencyProblems(manifest: Manifest, lockfile: Lockfile): readonly string[] {
  const asked = { ...manifest.dependencies, ...manifest.devDependencies }
  const loose = Object.entries(asked)
    .filter(([, version]) => !EXACT.test(version))
    .map(([name, version]) => `package.json: ${name} is not pinned to one version, but ${version}`)
  const overridden = overridesIn(manifest.overrides ?? {})
    .filter(([, version]) => !EXACT.test(version))
    .map(([name, version]) => `package.json: overrides.${name} is not pinned to one version, but ${version}`)
  const packages = Object.entries(lockfile.packages).filter(([path]) => path !== '')
  const locked = packages.flatMap(([path, locked]) =>
    packageProblems(path, locked, manifest.allowScripts ?? {}).map(
      (problem) => `package-lock.json: ${path} ${problem}`,
    ),
  )
  const missing = Object.entries(asked).flatMap(([name, version]) => {
    const found = lockfile.packages[`node_modules/${name}`]?.version
    return found === version ? [] : [`package-lock.json: ${name} is ${found ?? 'missing'}, not ${version}`]
  })
  const names = new Set(packages.map(([path]) => nameOf(path)))
  const idle = Object.keys(manifest.allowScripts ?? {})
    .filter((name) => !names.has(name))
    .map((name) => `package.json: allowScripts judges ${name}, which is not locked`)
  return [...loose, ...overridden, ...locked, ...missing, ...idle]
}

/** What is wrong with what a program that is made of a package imports: it must be asked for, and not just be there. */
export function importProblems(program: string, imported: readonly string[], manifest: Manifest): readonly string[] {
  const asked = { ...manifest.dependencies, ...manifest.devDependencies }
  return imported
    .filter((name) => !Object.hasOwn(asked, name))
    .map((name) => `package.json: ${name}, which ${program} imports, is not asked for`)
}

/** The packages that a text of TypeScript imports, without those of Node.js. */
export function packagesImported(text: string): readonly string[] {
  const names = Array.from(text.matchAll(IMPORT), ([, from = '']) => from)
    .filter((from) => !from.startsWith('.') && !from.startsWith('node:'))
    .map((from) => /^(?:@[^/]+\/)?[^/]+/.exec(from)?.[0] ?? from)
  return [...new Set(names)].toSorted()
}

/** These packages, and all that they depend on, as locked. */
export function withDependencies(names: readonly string[], lockfile: Lockfile): ReadonlySet<string> {
  const found = new Set(names)
  for (const name of found) {
    const locked = Object.entries(lockfile.packages).filter(([path]) => path !== '' && nameOf(path) === name)
    for (const [, { dependencies = {} }] of locked) for (const one of Object.keys(dependencies)) found.add(one)
  }
  return found
}

/** Each version that stands for another one, however deep, by its path. */
function overridesIn(overrides: Readonly<Record<string, unknown>>): readonly (readonly [string, string])[] {
  return Object.entries(overrides).flatMap(([name, value]) =>
    typeof value === 'object' && value !== null
      ? overridesIn({ ...value }).map(([inner, version]) => [`${name}.${inner}`, version] as const)
      : [[name, String(value)] as const],
  )
}

function packageProblems(path: string, locked: LockedPackage, allowed: Readonly<Record<string, boolean>>): string[] {
  const problems: string[] = []
  if (locked.link === true) problems.push('is a link to a folder')
  // The registry that npm is set up with has it; .npmrc leaves its address out.
  if (locked.resolved !== undefined) problems.push(`does not come from the registry, but from ${locked.resolved}`)
  if (!INTEGRITY.test(locked.integrity ?? '')) problems.push('has no SHA-512 integrity')
  if (!EXACT.test(locked.version ?? '')) problems.push('has no exact version')
  if (locked.hasInstallScript === true && !Object.hasOwn(allowed, nameOf(path))) {
    problems.push('has an install script that allowScripts of package.json does not judge')
  }
  if (!isAllowedLicence(locked.license ?? '')) problems.push(`is licensed under ${locked.license || 'nothing'}`)
  return problems
}

/** `node_modules/a/node_modules/@b/c` is `@b/c`. */
function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length)
}

/** An SPDX expression without exceptions: of alternatives one has to be allowed, of a conjunction all. */
function isAllowedLicence(expression: string): boolean {
  const plain = expression.replace(/^\((.*)\)$/, '$1')
  return plain.split(' OR ').some((all) => all.split(' AND ').every((one) => LICENCES.has(one.trim())))
}
