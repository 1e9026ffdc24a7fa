import { vi } from 'vitest'
import { runProgram } from '../../src/cli/program.ts'

export interface Printed {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/**
 * Runs a command in this process, which takes a moment where a process of its own takes a second.
 * `heard` is told all of standard error each time that something is added.
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
