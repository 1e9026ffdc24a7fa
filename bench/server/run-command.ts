import { execFile } from 'node:child_process'

export interface CommandOutcome {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs `qscope <args>` to completion, with only the given QSCOPE_ variables. */
export function runQScope(
  entry: string,
  args: readonly string[],
  variables: Readonly<Record<string, string>>,
): Promise<CommandOutcome> {
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [entry, ...args],
      { env: plainEnvironment(variables) },
      (error, out, err) => {
        const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 1
        resolve({ code, stdout: out, stderr: err })
      },
    )
    child.stdin?.end()
  })
}

/** Runs a command that must succeed. */
export async function mustRunQScope(...call: Parameters<typeof runQScope>): Promise<string> {
  const { code, stdout, stderr } = await runQScope(...call)
  if (code !== 0) throw new Error(`qscope ${call[1].join(' ')} failed:\n${stderr}`)
  return stdout
}

/** The own environment without variables that would configure the server. */
export function plainEnvironment(variables: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith('QSCOPE_'))
  return { ...Object.fromEntries(own), ...variables }
}
