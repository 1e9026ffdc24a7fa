import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'

/** Where an installed program is: on the path, or in a directory that is on nobody's; `null` if nowhere. */
export function installed(program: string, directories: readonly string[] = []): string | null {
  const all = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin', ...directories]
  return all.map((directory) => join(directory, program)).find((path) => existsSync(path)) ?? null
}

/** A user of this machine that a program runs as. */
export interface Account {
  readonly name: string
  readonly uid: number
  readonly gid: number
}

/** Whom a server that does not want to be root runs as instead; `null`: as whoever runs the tests. */
export function accountInsteadOfRoot(name: string): Account | null {
  if (process.getuid?.() !== 0) return null
  const id = (option: string) => Number(execFileSync('id', [option, name], { encoding: 'utf8' }))
  return { name, uid: id('-u'), gid: id('-g') }
}
