import { chmodSync, existsSync, mkdirSync, statSync } from 'node:fs'
import { dirname } from 'node:path'

const OWNER_ONLY = 0o700

/**
 * Makes a directory and those above it that are missing, for their owner alone,
 * whatever the umask; answers the first that it made, `null` if all were there.
 * What Node.js makes by `recursive` it tries for ever where a file system takes
 * no directories, such as /proc.
 */
export function makeDirectories(directory: string): string | null {
  const missing: string[] = []
  for (let path = directory; !existsSync(path) && dirname(path) !== path; path = dirname(path)) missing.unshift(path)
  for (const path of missing) makeDirectory(path)
  return missing[0] ?? null
}

function makeDirectory(path: string): void {
  try {
    mkdirSync(path, OWNER_ONLY)
  } catch (error) {
    if (existsSync(path) && statSync(path).isDirectory()) return
    throw error
  }
  chmodSync(path, OWNER_ONLY)
}
