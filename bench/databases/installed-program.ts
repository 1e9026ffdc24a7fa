import { existsSync, readdirSync } from 'node:fs'
import { delimiter, join } from 'node:path'

/** Debian installs each version of PostgreSQL in its own directory. */
const POSTGRES = '/usr/lib/postgresql'

/** The path of a database server's program. `null`: not found. */
export function installedProgram(...names: readonly string[]): string | null {
  const versions = existsSync(POSTGRES) ? readdirSync(POSTGRES).toSorted((a, b) => Number(b) - Number(a)) : []
  const directories = [
    ...versions.map((version) => join(POSTGRES, version, 'bin')),
    ...(process.env['PATH'] ?? '').split(delimiter),
    '/usr/sbin',
    '/usr/local/sbin',
  ]
  const paths = names.flatMap((name) => directories.map((directory) => join(directory, name)))
  return paths.find((path) => existsSync(path)) ?? null
}
