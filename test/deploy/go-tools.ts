import { execFileSync } from 'node:child_process'
import { tmpdir } from 'node:os'
import { goProgram } from '../setup/go-programs.ts'
import { installed } from '../setup/installed.ts'
import { missing } from '../setup/requirement.ts'

/** Its schema is the one that Docker Compose itself checks with. */
const COMPOSE = 'github.com/compose-spec/compose-go/v2@v2.16.2'
const GO_MS = 600_000

export const go = installed('go', ['/usr/local/go/bin'])
if (go === null) missing('go', 'the schema of Compose', 'Go is not installed')

const kustomize = goProgram('kustomize', 'kustomize build')
const helm = goProgram('helm', 'helm lint, helm template')
const decoder = goProgram('decode-manifests', 'strict decoding of manifests')
/** Tests that build or read manifests are skipped without. */
export const hasKubernetesTools = kustomize !== null && helm !== null && decoder !== null

/** Runs a program to its end; throws with what it complained of. */
function run(program: string | null, args: readonly string[], input = ''): string {
  return execFileSync(program ?? '', [...args], {
    cwd: tmpdir(),
    input,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
    stdio: 'pipe',
    timeout: GO_MS,
  })
}

/** What kustomize makes of a folder. */
export function kustomizeBuild(folder: string): string {
  return run(kustomize, ['build', folder])
}

/** What Helm makes of a chart; throws with what is wrong about the chart or its values. */
export function helmTemplate(chart: string, release: string, ...options: readonly string[]): string {
  return run(helm, ['template', release, chart, ...options])
}

/** Throws with what Helm finds wrong about a chart, warnings included. */
export function helmLint(chart: string, ...options: readonly string[]): string {
  return run(helm, ['lint', '--strict', chart, ...options])
}

/** Has Kubernetes' own decoder read manifests; throws with its complaints. */
export function decodeStrictly(manifests: string): void {
  run(decoder, [], manifests)
}

/** The folder of the module whose schema Compose files follow. */
export function composeModule(): string {
  const { Dir } = JSON.parse(run(go, ['mod', 'download', '-json', COMPOSE]))
  return Dir
}
