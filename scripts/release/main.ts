/**
 * Makes the files of a release in release/, and their checksums: `npm run
 * release`. `npm run release -- go python` makes some parts of it anew.
 */
import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, relative, resolve, sep } from 'node:path'
import { isInstalled, packGo, packHelm, packMaven, packNpm, packPython, type ReleaseFolder } from './artefacts.ts'
import { writeBillOfMaterials } from './bill-of-materials.ts'

const ROOT = resolve(import.meta.dirname, '..', '..')
const RELEASE = join(ROOT, 'release')
const CHECKSUMS = 'SHA256SUMS'

interface Part {
  readonly make: (folder: ReleaseFolder) => void
  /** The program that it needs beside Node and npm. */
  readonly program?: string
}

/** By the folder that each fills. */
const PARTS: Readonly<Record<string, Part>> = {
  npm: { make: packNpm },
  go: { make: packGo, program: 'go' },
  python: { make: packPython, program: 'python3' },
  maven: { make: packMaven, program: 'mvn' },
  helm: { make: packHelm, program: 'helm' },
  sbom: { make: writeBillOfMaterials },
}

/** As `sha256sum --check` reads them. */
function checksums(): string {
  const files = readdirSync(RELEASE, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name !== CHECKSUMS)
    .map((entry) => relative(RELEASE, join(entry.parentPath, entry.name)).split(sep).join('/'))
    .sort()
  const line = (file: string) =>
    `${createHash('sha256')
      .update(readFileSync(join(RELEASE, file)))
      .digest('hex')}  ${file}\n`
  return files.map(line).join('')
}

const asked = process.argv.slice(2)
const unknown = asked.filter((part) => !(part in PARTS))
if (unknown.length > 0) {
  console.error(`no part of a release: ${unknown.join(', ')}; there are ${Object.keys(PARTS).join(', ')}`)
  process.exit(2)
}
const parts = Object.entries(PARTS).filter(([name]) => asked.length === 0 || asked.includes(name))
const unmet = parts.filter(([, { program }]) => program !== undefined && !isInstalled(program, ROOT))
if (unmet.length > 0) {
  for (const [name, { program }] of unmet) console.error(`the part ${name} needs ${program}, which is not installed`)
  console.error('name the parts to make, such as npm run release -- npm')
  process.exit(1)
}
const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
for (const [name, { make }] of parts) {
  const to = join(RELEASE, name)
  rmSync(to, { recursive: true, force: true })
  mkdirSync(to, { recursive: true })
  make({ root: ROOT, to, version })
}
writeFileSync(join(RELEASE, CHECKSUMS), checksums())
console.log(`release/: ${version}, with ${CHECKSUMS}`)
