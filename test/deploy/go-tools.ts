import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { installed } from '../setup/installed.ts'
import { missing } from '../setup/requirement.ts'

const KUSTOMIZE = 'sigs.k8s.io/kustomize/kustomize/v5@v5.8.1'
/** Its schema is the one that Docker Compose itself checks with. */
const COMPOSE = 'github.com/compose-spec/compose-go/v2@v2.16.2'
const GO_MS = 600_000

export const go = installed('go', ['/usr/local/go/bin'])
if (go === null)
  missing('go', 'kustomize build, strict decoding of manifests, the schema of Compose', 'Go is not installed')

const CACHE = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'qscope-container')

interface RunOptions {
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
  readonly input?: string
}

/** Runs a program to its end; throws with what it complained of. */
function run(
  program: string,
  args: readonly string[],
  { cwd = tmpdir(), env = {}, input = '' }: RunOptions = {},
): string {
  return execFileSync(program, [...args], {
    cwd,
    input,
    encoding: 'utf8',
    env: { ...process.env, ...env },
    maxBuffer: 64 * 1024 * 1024,
    stdio: 'pipe',
    timeout: GO_MS,
  })
}

/** Installs kustomize unless it is there, and answers what it makes of a folder. */
export function kustomizeBuild(folder: string): string {
  const bin = join(CACHE, 'kustomize-v5.8.1')
  const kustomize = join(bin, 'kustomize')
  if (!existsSync(kustomize)) run(go ?? 'go', ['install', KUSTOMIZE], { env: { GOBIN: bin } })
  return run(kustomize, ['build', folder])
}

/** Has Kubernetes' own decoder read manifests; throws with its complaints. Kept, built, between runs. */
export function decodeStrictly(manifests: string): void {
  const program = join(CACHE, 'strict')
  // Go itself sees whether there is anything to do.
  run(go ?? 'go', ['build', '-o', program, '.'], { cwd: join(import.meta.dirname, 'strict') })
  run(program, [], { input: manifests })
}

/** The folder of the module whose schema Compose files follow. */
export function composeModule(): string {
  const { Dir } = JSON.parse(run(go ?? 'go', ['mod', 'download', '-json', COMPOSE]))
  return Dir
}
