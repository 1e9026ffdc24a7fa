import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Changes, Position, TextEdit } from './language-server.ts'

/** Writes edits into the files; of several for one place one is written. Answers with the files. */
export function applyEdits(all: readonly Changes[]): readonly string[] {
  const byFile = new Map<string, Map<string, TextEdit>>()
  for (const changes of all) {
    for (const [uri, edits] of Object.entries(changes)) {
      const known = byFile.get(uri) ?? new Map<string, TextEdit>()
      for (const edit of edits) known.set(JSON.stringify(edit.range), edit)
      byFile.set(uri, known)
    }
  }
  return [...byFile].map(([uri, edits]) => {
    const file = fileURLToPath(uri)
    writeFileSync(file, edited(readFileSync(file, 'utf8'), [...edits.values()]))
    return file
  })
}

function edited(text: string, edits: readonly TextEdit[]): string {
  const starts = lineStarts(text)
  const offset = ({ line, character }: Position) => (starts[line] ?? text.length) + character
  const lastFirst = edits
    .map(({ range, newText }) => ({ from: offset(range.start), to: offset(range.end), newText }))
    .sort((a, b) => b.from - a.from)
  return lastFirst.reduce((result, { from, to, newText }) => result.slice(0, from) + newText + result.slice(to), text)
}

/** Where a declared name first stands in the code of a file, after another name (such as its class) if one is given. */
export function placeOf(text: string, name: string, after: string | null): Position | null {
  const code = withoutProse(text)
  const begin = after === null ? 0 : code.search(wholeWord(after))
  if (begin < 0) return null
  const found = code.slice(begin).search(wholeWord(name))
  if (found < 0) return null
  const before = text.slice(0, begin + found)
  const line = before.split('\n').length - 1
  return { line, character: begin + found - (before.lastIndexOf('\n') + 1) }
}

export function wholeWord(name: string, flags = ''): RegExp {
  return new RegExp(`(?<![\\w$#])${name.replaceAll(/[$.#]/g, '\\$&')}(?![\\w$])`, flags)
}

/** The same length, with comments, strings and imports blanked. */
function withoutProse(text: string): string {
  const blank = (match: string) => match.replaceAll(/[^\n]/g, ' ')
  return text
    .replaceAll(/\/\*[\s\S]*?\*\/|(?<!:)\/\/[^\n]*/g, blank)
    .replaceAll(/'(?:[^'\\\n]|\\.)*'/g, blank)
    .replaceAll(/^import\b[\s\S]*? from[ ]*$/gm, blank)
}

/** Names that no English word is spelled like: comments may name them too. */
export function isCodeWord(name: string): boolean {
  return /[a-z][A-Z]|_/.test(name)
}

/** Comments speak of what the code is called now. */
export function renameInComments(text: string, from: string, to: string): string {
  return text.replaceAll(/\/\*[\s\S]*?\*\/|(?<!:)\/\/[^\n]*/g, (comment) =>
    comment.replaceAll(wholeWord(from, 'g'), to),
  )
}

function lineStarts(text: string): readonly number[] {
  const starts = [0]
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) starts.push(at + 1)
  return starts
}
