import type { VariableName } from '../config/variables.ts'
import { KeyringFileError } from '../crypto/keyring-format.ts'
import { firstLineOf } from '../message-of.ts'

/** Does a part of the start; what goes wrong names the variable that decides over it. Throws an error of one line. */
export async function during<T>(variable: VariableName, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    const line = firstLineOf(error)
    if (line.includes('QSCOPE_')) throw error
    throw new Error(`${error instanceof KeyringFileError ? 'QSCOPE_KEYRING_FILE' : variable}: ${line}`, {
      cause: error,
    })
  }
}
