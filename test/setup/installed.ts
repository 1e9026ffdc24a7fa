import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'

/** The path of an installed program: on the path, or in another directory. `null`: not found. */
export function installed(program: string, directories: readonly string[] = []): string | null {
  const all = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin', ...directories]
  return all.map((directory) => join(directory, program)).find((path) => existsSync(path)) ?? null
}

/** A user account of this machine. */
export interface Account {
  readonly name: string
  readonly uid: number
  readonly gid: number
}

/** The account for a server that does not run as root. `null`: the account of the tests. */
export function accountInsteadOfRoot(name: string): Account | null {
  if (process.getuid?.() !== 0) return null
  const id = (option: string) => Number(execFileSync('id', [option, name], { encoding: 'utf8' }))
  return { name, uid: id('-u'), gid: id('-g') }
}
