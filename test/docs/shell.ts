import { execFile } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join, resolve } from 'node:path'
import { GRPCURL } from '../setup/grpcurl.ts'

const ROOT = resolve(import.meta.dirname, '..', '..')
const TIMEOUT_MS = 240_000
/** The address that pages call, which a test's server has not. */
export const DOCUMENTED_ADDRESS = '127.0.0.1:50051'
/** `read -rs ADMIN_SECRET   # printed by the first start`: what a reader pastes. */
const PASTED = /^read -rs (\w+) +#.*$/gm

export interface ShellBlock {
  readonly text: string
  /** Whether it has to fail; then what it says on standard error belongs to what it prints. */
  readonly refused?: boolean
}

export interface ShellOptions {
  /** What the reader knows before, what is pasted included. */
  readonly variables: Readonly<Record<string, string>>
  /** Of the server that stands for the documented one. */
  readonly address?: string
  readonly cwd?: string
}

/** Runs blocks one after the other in one shell that ends at the first failure; answers what each printed. */
export async function runBlocks(
  blocks: readonly ShellBlock[],
  { variables, address = DOCUMENTED_ADDRESS, cwd = ROOT }: ShellOptions,
): Promise<readonly string[]> {
  const directory = mkdtempSync(join(tmpdir(), 'qscope-docs-'))
  try {
    const program = join(directory, 'qscope')
    writeFileSync(program, `#!/bin/sh\nexec '${process.execPath}' '${join(ROOT, 'src', 'main.ts')}' "$@"\n`)
    chmodSync(program, 0o755)
    const outputs = blocks.map((_, index) => join(directory, `${String(index).padStart(4, '0')}.out`))
    const lines = blocks.map(({ text, refused = false }, index) => {
      const typed = text
        .replaceAll(PASTED, (line, name: string) => (name in variables ? ':' : line))
        .replaceAll(DOCUMENTED_ADDRESS, address)
      return refused ? failing(typed, outputs[index] ?? '') : `{\n${typed}\n} > '${outputs[index]}'`
    })
    const PATH = [directory, join(ROOT, 'node_modules', '.bin'), process.env['PATH'], dirname(GRPCURL)].join(delimiter)
    const env = { PATH, HOME: process.env['HOME'] ?? ROOT, XDG_CONFIG_HOME: join(directory, 'config'), ...variables }
    const { failed, stderr } = await runBash(['set -e', ...lines].join('\n'), { cwd, env })
    if (failed) {
      const at = outputs.findLastIndex((path) => existsSync(path))
      const printed = at === -1 ? '' : readFileSync(outputs[at] ?? '', 'utf8')
      throw new Error(`this block failed:\n${blocks[at]?.text}\n${printed.slice(-2_000)}\n${stderr.slice(-2_000)}`)
    }
    return outputs.map((path) => readFileSync(path, 'utf8'))
  } finally {
    rmSync(directory, { recursive: true })
  }
}

/** The same for blocks that all succeed and name no address of their own. */
export function runShell(blocks: readonly string[], variables: Record<string, string>): Promise<readonly string[]> {
  return runBlocks(
    blocks.map((text) => ({ text })),
    { variables },
  )
}

function failing(typed: string, output: string): string {
  return [
    'set +e -o pipefail',
    `{\n${typed}\n} > '${output}' 2>&1`,
    'code=$?',
    'set -e +o pipefail',
    `if [ "$code" -eq 0 ]; then echo 'it was not refused' >&2; exit 1; fi`,
  ].join('\n')
}

function runBash(script: string, options: { readonly cwd: string; readonly env: NodeJS.ProcessEnv }) {
  return new Promise<{ readonly failed: boolean; readonly stderr: string }>((done) => {
    execFile('bash', ['-c', script], { ...options, timeout: TIMEOUT_MS }, (error, _, stderr) =>
      done({ failed: error !== null, stderr }),
    )
  })
}
