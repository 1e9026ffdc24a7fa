import { firstLineOf } from '../../message-of.ts'

/** The examined part, the result, and the remedy. */
export interface Finding {
  readonly check: string
  readonly state: 'ok' | 'warning' | 'problem'
  readonly finding: string
  /** `null`: nothing to do. */
  readonly advice: string | null
}

export function ok(check: string, finding: string): Finding {
  return { check, state: 'ok', finding, advice: null }
}

export function warning(check: string, finding: string, advice: string): Finding {
  return { check, state: 'warning', finding, advice }
}

export function problem(check: string, finding: string, advice: string): Finding {
  return { check, state: 'problem', finding, advice }
}

/** A failed examination is a finding, too. */
export async function guarded(
  check: string,
  examine: () => Promise<readonly Finding[]> | readonly Finding[],
): Promise<readonly Finding[]> {
  try {
    return await examine()
  } catch (error) {
    return [problem(check, firstLineOf(error), 'see the message, and the log for more')]
  }
}
