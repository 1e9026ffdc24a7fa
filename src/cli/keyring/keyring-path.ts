import { readConfig } from '../environment.ts'

/** Where the keyring of the configuration lies. */
export function keyringPath(): string {
  const { keyringFile } = readConfig()
  if (keyringFile === null) throw new Error('the keyring is in memory: set QSCOPE_KEYRING_FILE')
  return keyringFile
}
