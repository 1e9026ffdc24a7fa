import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ReleaseFolder } from './artefacts.ts'

interface Component {
  readonly 'bom-ref': string
  readonly properties: readonly { readonly name: string }[]
}

interface Dependency {
  readonly ref: string
  readonly dependsOn: readonly string[]
}

/** What npm writes, as far as it is changed here. */
interface Bom {
  serialNumber: string
  metadata: { timestamp?: string; component: { name: string } }
  components: readonly Component[]
  dependencies: readonly Dependency[]
}

/**
 * Writes what the server is made of, in CycloneDX 1.5: the packages that are
 * installed with it, with licence and hash, from the lock file. npm makes it.
 */
export function writeBillOfMaterials({ root, to }: ReleaseFolder): void {
  const how = ['--sbom-format', 'cyclonedx', '--sbom-type', 'application', '--package-lock-only']
  const printed = execFileSync('npm', ['sbom', ...how], { cwd: root, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 })
  const bom = withoutDevelopment(JSON.parse(printed))
  // npm names it after the folder, and draws a number and a time: the same release is to give the same file.
  bom.metadata.component.name = 'qscope'
  delete bom.metadata.timestamp
  bom.serialNumber = ''
  bom.serialNumber = `urn:uuid:${uuidOf(JSON.stringify(bom))}`
  writeFileSync(join(to, 'qscope.cdx.json'), `${JSON.stringify(bom, null, 2)}\n`)
}

/** `--omit dev` of npm also leaves out what is needed both by the server and for its development. */
function withoutDevelopment(bom: Bom): Bom {
  const isDevelopment = ({ properties }: Component) =>
    properties.some(({ name }) => name === 'cdx:npm:package:development')
  const left = new Set(bom.components.filter(isDevelopment).map((component) => component['bom-ref']))
  return {
    ...bom,
    components: bom.components.filter((component) => !left.has(component['bom-ref'])),
    dependencies: bom.dependencies
      .filter(({ ref }) => !left.has(ref))
      .map(({ ref, dependsOn }) => ({ ref, dependsOn: dependsOn.filter((other) => !left.has(other)) })),
  }
}

/** A UUID that follows from a text: version 8 (RFC 9562 §5.8). */
function uuidOf(text: string): string {
  const hex = createHash('sha256').update(text).digest('hex')
  return [hex.slice(0, 8), hex.slice(8, 12), `8${hex.slice(13, 16)}`, `a${hex.slice(17, 20)}`, hex.slice(20, 32)].join(
    '-',
  )
}
