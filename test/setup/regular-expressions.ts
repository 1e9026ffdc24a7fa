import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** A regular expression and its place. */
export interface FoundExpression {
  readonly place: string
  readonly expression: RegExp
}

const ROOT = join(import.meta.dirname, '../..')
/** Code before a slash that begins an expression. After anything else, the slash is a division. */
const BEFORE_EXPRESSION = /(?:^|[(,=:[!&|?{};+]|=>|\breturn)\s*$/

/** All literal expressions of the sources, and all `pattern` rules of the contract. */
export function expressionsOf(folders: readonly string[], contract: string): readonly FoundExpression[] {
  const sources = folders.flatMap((folder) => globSync(`${folder}/**/*.ts`, { cwd: ROOT }))
  const literals = sources
    .filter((path) => !path.includes('/gen/'))
    .flatMap((path) =>
      literalsIn(readFileSync(join(ROOT, path), 'utf8')).map((expression) => ({ place: path, expression })),
    )
  const patterns = globSync(`${contract}/**/*.proto`, { cwd: ROOT }).flatMap((path) => {
    const text = readFileSync(join(ROOT, path), 'utf8')
    return [...text.matchAll(/pattern\s*[=:]\s*"((?:[^"\\]|\\.)*)"/g)].map(([, written = '']) => ({
      place: path,
      expression: new RegExp(String(JSON.parse(`"${written}"`)), 'u'),
    }))
  })
  return [...literals, ...patterns]
}

/** The literal expressions in a formatted TypeScript source. */
export function literalsIn(source: string): readonly RegExp[] {
  const found: RegExp[] = []
  readCode(source, source.startsWith('#!') ? source.indexOf('\n') : 0, found)
  return found
}

/** Reads code up to its closing brace and returns the brace's position. */
function readCode(source: string, from: number, found: RegExp[]): number {
  let depth = 0
  let at = from
  while (at < source.length) {
    const character = source[at]
    if (source.startsWith('//', at)) at = endOf(source.indexOf('\n', at), source)
    else if (source.startsWith('/*', at)) at = endOf(source.indexOf('*/', at) + 1, source)
    else if (character === "'" || character === '"') at = closing(source, at, character)
    else if (character === '`') at = readTemplate(source, at, found)
    else if (character === '/' && BEFORE_EXPRESSION.test(source.slice(Math.max(0, at - 20), at))) {
      const end = endOfExpression(source, at)
      const flags = /^[a-z]*/.exec(source.slice(end + 1, end + 10))?.[0] ?? ''
      found.push(new RegExp(source.slice(at + 1, end), flags.replace('g', '')))
      at = end + flags.length
    } else if (character === '{') depth += 1
    else if (character === '}') {
      if (depth === 0) return at
      depth -= 1
    }
    at += 1
  }
  return at
}

function readTemplate(source: string, from: number, found: RegExp[]): number {
  let at = from + 1
  while (at < source.length && source[at] !== '`') {
    if (source[at] === '\\') at += 1
    else if (source.startsWith('${', at)) at = readCode(source, at + 2, found)
    at += 1
  }
  return at
}

function closing(source: string, from: number, quote: string): number {
  let at = from + 1
  while (at < source.length && source[at] !== quote) at += source[at] === '\\' ? 2 : 1
  return at
}

function endOfExpression(source: string, from: number): number {
  let inClass = false
  let at = from + 1
  while (at < source.length && (inClass || source[at] !== '/')) {
    if (source[at] === '\\') at += 1
    else if (source[at] === '[') inClass = true
    else if (source[at] === ']') inClass = false
    at += 1
  }
  return at
}

function endOf(index: number, source: string): number {
  return index < 0 ? source.length : index
}
