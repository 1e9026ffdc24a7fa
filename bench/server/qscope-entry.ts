import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const DIST = join(import.meta.dirname, '..', '..', 'dist', 'main.js')

/** The compiled server; `QSCOPE_BENCH_SERVER` names another build, to compare two. */
export function qscopeEntry(): string {
  const entry = process.env['QSCOPE_BENCH_SERVER'] ?? DIST
  if (!existsSync(entry)) throw new Error(`${entry} is not there: run npm run build`)
  return entry
}

/** What the first line of the entry gives to Node: a server that is installed runs with it. */
export function ownNodeArgs(entry: string): readonly string[] {
  const [, args = ''] = /^#!\S+ -S node (.*)/.exec(readFileSync(entry, 'utf8')) ?? []
  return args.split(' ').filter(Boolean)
}
