import { execFileSync } from 'node:child_process'
import { tmpdir } from 'node:os'
import { goProgram } from '../setup/go-programs.ts'
import { installed } from '../setup/installed.ts'
import { missing } from '../setup/requirement.ts'

/** The module with the schema that Docker Compose uses. */
const COMPOSE = 'github.com/compose-spec/compose-go/v2@v2.16.2'
const GO_MS = 600_000

export const go = installed('go', ['/usr/local/go/bin'])
if (go === null) missing('go', 'the schema of Compose', 'Go is not installed')

const kustomize = goProgram('kustomize', 'kustomize build')
const helm = goProgram('helm', 'helm lint, helm template')
const decoder = goProgram('decode-manifests', 'strict decoding of manifests')
/** Without these tools, tests that build or read manifests are skipped. */
export const hasKubernetesTools = kustomize !== null && helm !== null && decoder !== null

/** Runs a program to its end; throws its errors. */
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

/** The manifests that kustomize builds from a folder. */
export function kustomizeBuild(folder: string): string {
  return run(kustomize, ['build', folder])
}

/** The manifests that Helm makes from a chart; throws the errors of the chart or its values. */
export function helmTemplate(chart: string, release: string, ...options: readonly string[]): string {
  return run(helm, ['template', release, chart, ...options])
}

/** The output of helm lint; throws it if there are errors or warnings. */
export function helmLint(chart: string, ...options: readonly string[]): string {
  return run(helm, ['lint', '--strict', chart, ...options])
}

/** Reads manifests with the decoder of Kubernetes; throws its errors. */
export function decodeStrictly(manifests: string): void {
  run(decoder, [], manifests)
}

/** The folder of the module with the schema of Compose files. */
export function composeModule(): string {
  const { Dir } = JSON.parse(run(go, ['mod', 'download', '-json', COMPOSE]))
  return Dir
}
