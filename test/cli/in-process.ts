import { vi } from 'vitest'
import { runProgram } from '../../src/cli/program.ts'

export interface Printed {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/**
 * Runs a command in this process, which is faster than a separate process.
 * `heard` is called with all of standard error after each addition.
 */
export async function runHere(args: readonly string[], heard?: (stderr: string) => void): Promise<Printed> {
  let stdout = ''
  let stderr = ''
  const outs = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    stdout += String(text)
    return true
  })
  const errors = vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    stderr += String(text)
    heard?.(stderr)
    return true
  })
  try {
    const code = await runProgram(args)
    return { code, stdout, stderr }
  } finally {
    outs.mockRestore()
    errors.mockRestore()
    process.exitCode = 0
  }
}
