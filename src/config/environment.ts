import { readFileSync } from 'node:fs'
import { whyUnreadable } from './quoted.ts'
import { type ClientVariableName, KNOWN_VARIABLES, type VariableName } from './variables.ts'

/** The QSCOPE_ variables as found, unparsed. */
export interface Environment {
  /** Empty values count as absent. */
  readonly values: ReadonlyMap<string, string>
  /** The names whose values came from `<name>_FILE`. */
  readonly fromFile: ReadonlySet<string>
  readonly problems: readonly string[]
  readonly warnings: readonly string[]
}

const PREFIX = 'QSCOPE_'
const FILE_SUFFIX = '_FILE'
const FILE_NAMES: ReadonlyMap<string, string> = new Map(
  [...KNOWN_VARIABLES].filter(([, variable]) => variable.secret).map(([name]) => [name + FILE_SUFFIX, name]),
)

/** Collects the QSCOPE_ variables. Secrets may be in files instead. No `.env` file is read. */
export function readEnvironment(env: Readonly<Record<string, string | undefined>>): Environment {
  const values = new Map<string, string>()
  const fromFile = new Set<string>()
  const problems: string[] = []
  const warnings: string[] = []
  for (const [name, value] of Object.entries(env)) {
    if (!name.startsWith(PREFIX) || value === undefined || value === '') continue
    const target = FILE_NAMES.get(name)
    if (KNOWN_VARIABLES.has(name)) {
      values.set(name, value)
    } else if (target === undefined) {
      const meant = nearest(name, [...KNOWN_VARIABLES.keys(), ...FILE_NAMES.keys()])
      warnings.push(`${name} is unknown and ignored${meant === null ? '' : `; did you mean ${meant}?`}`)
    }
  }
  for (const [name, target] of FILE_NAMES) {
    const path = env[name]
    if (path === undefined || path === '') continue
    if (values.has(target)) {
      problems.push(`${name}: ${target} is set as well; set only one of them`)
      continue
    }
    try {
      values.set(target, readFileSync(path, 'utf8').replace(/\r?\n$/, ''))
      fromFile.add(target)
    } catch (error) {
      problems.push(`${name}: should be the path of a readable file, but ${whyUnreadable(error)}`)
    }
  }
  return { values, fromFile, problems, warnings }
}

/** The value of a variable. `null`: absent. */
export function variable(environment: Environment, name: VariableName | ClientVariableName): string | null {
  return environment.values.get(name) ?? null
}

const MAX_DISTANCE = 4

/**
 * The candidate closest to a mistyped name, or else the first one that has all its words. `null`: there is none. If half
 * of the letters differ, it is another name.
 */
function nearest(name: string, candidates: readonly string[]): string | null {
  const letters = name.length - PREFIX.length
  let best: string | null = null
  let least = Math.min(MAX_DISTANCE + 1, letters / 2)
  for (const candidate of candidates) {
    const distance = editDistance(name, candidate)
    if (distance < least) {
      least = distance
      best = candidate
    }
  }
  return best ?? candidates.find((candidate) => hasWords(candidate.split('_'), name.split('_'))) ?? null
}

function hasWords(all: readonly string[], words: readonly string[]): boolean {
  return words.every((word) => all.includes(word))
}

/** Levenshtein, "Binary codes capable of correcting deletions, insertions and reversals" (1966). */
function editDistance(a: string, b: string): number {
  let above = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (const [row, letter] of [...a].entries()) {
    const current = [row + 1]
    for (const [column, other] of [...b].entries()) {
      const replaced = (above[column] ?? 0) + (letter === other ? 0 : 1)
      current.push(Math.min(replaced, (above[column + 1] ?? 0) + 1, (current[column] ?? 0) + 1))
    }
    above = current
  }
  return above.at(-1) ?? 0
}
