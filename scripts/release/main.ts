/**
 * Makes the files of a release in release/, and their checksums: `npm run
 * release`. `npm run release -- go python` makes some parts of it anew.
 */
import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, relative, resolve, sep } from 'node:path'
import { packGo, packHelm, packMaven, packNpm, packPython, type ReleaseFolder } from './artefacts.ts'
import { writeBillOfMaterials } from './bill-of-materials.ts'

const ROOT = resolve(import.meta.dirname, '..', '..')
const RELEASE = join(ROOT, 'release')
const CHECKSUMS = 'SHA256SUMS'

/** By the folder that each fills. */
const PARTS: Readonly<Record<string, (folder: ReleaseFolder) => void>> = {
  npm: packNpm,
  go: packGo,
  python: packPython,
  maven: packMaven,
  helm: packHelm,
  sbom: writeBillOfMaterials,
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
const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
for (const [part, make] of Object.entries(PARTS)) {
  if (asked.length > 0 && !asked.includes(part)) continue
  const to = join(RELEASE, part)
  rmSync(to, { recursive: true, force: true })
  mkdirSync(to, { recursive: true })
  make({ root: ROOT, to, version })
}
writeFileSync(join(RELEASE, CHECKSUMS), checksums())
console.log(`release/: ${version}, with ${CHECKSUMS}`)
