import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const DIST = join(import.meta.dirname, '..', '..', 'dist', 'main.js')

/** The bundled server by default. `QSCOPE_BENCH_SERVER` selects another build. */
export function qscopeEntry(standard: string = DIST): string {
  const entry = process.env['QSCOPE_BENCH_SERVER'] ?? standard
  if (!existsSync(entry)) throw new Error(`${entry} is not there: run npm run build`)
  return entry
}

/** The settings for the process and for Node in the first line of the entry. An installed server runs with them. */
export function ownLaunch(entry: string): {
  readonly variables: Readonly<Record<string, string>>
  readonly nodeArgs: readonly string[]
} {
  const [, settings = '', args = ''] = /^#!\S+ -S (.*)\bnode (.*)/.exec(readFileSync(entry, 'utf8')) ?? []
  const variables = Object.fromEntries(
    Array.from(settings.matchAll(/(\w+)=(\S+)/g), ([, name = '', value = '']) => [name, value]),
  )
  return { variables, nodeArgs: args.split(' ').filter(Boolean) }
}
