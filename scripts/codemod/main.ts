/**
 * `node scripts/codemod/main.ts <table.json> [--commit] [title …]`: gives what is declared other names, and files other places,
 * everywhere at once: code, tests, comments that name it, paths in scripts and pages. `names.json` holds the field's names for
 * what has private ones today, `rooms.json` where each file belongs; each step can be a commit of its own.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, normalize, relative, resolve } from 'node:path'
import { applyEdits, isCodeWord, placeOf, renameInComments } from './edits.ts'
import { LanguageServer } from './language-server.ts'

const ROOT = resolve(import.meta.dirname, '..', '..')
/** Records of what was: they keep the names of their time. */
const KEPT = /^(docs\/decisions\/|CHANGELOG\.md|src\/gen\/|scripts\/codemod\/|proto\/third_party\/)/

const SPECIFIER = /(')(\.{1,2}\/[^'\n]*\.ts)'/g

/** One commit: names that change, and files that move, as "from to". */
export interface Step {
  readonly title: string
  /** "file name newName", or "file Container.member newName". */
  readonly names?: readonly string[]
  readonly files?: readonly string[]
  /** Of what no symbol stands for, such as local variables: file, regular expression, replacement. */
  readonly replacements?: readonly (readonly [string, string, string])[]
}

const [tableFile, ...rest] = process.argv.slice(2)
const commits = rest.includes('--commit')
const titles = rest.filter((each) => each !== '--commit')
if (tableFile === undefined) {
  console.error('usage: node scripts/codemod/main.ts <table.json> [--commit] [title …]')
  process.exit(2)
}
const table: readonly Step[] = JSON.parse(readFileSync(tableFile, 'utf8'))
for (const step of table) {
  if (titles.length > 0 && !titles.includes(step.title)) continue
  console.log(step.title)
  await renameNames(step.names ?? [])
  moveFiles(step.files ?? [])
  for (const [file, from, to] of (step.replacements ?? []).filter(([each]) => existsSync(join(ROOT, each))))
    rewrite(file, (text) => text.replaceAll(new RegExp(from, 'gm'), to))
  if (commits) commit(step.title)
}

/** Each step is checked before it is committed. */
function commit(title: string): void {
  run('npx', ['biome', 'check', '--write', '.'])
  run('npx', ['tsc', '-p', '.'])
  run('git', ['add', '--all'])
  run('git', ['commit', '--quiet', '--message', title])
}

function run(program: string, arguments_: readonly string[]): void {
  execFileSync(program, arguments_, { cwd: ROOT, stdio: ['ignore', 'inherit', 'inherit'] })
}

async function renameNames(rows: readonly string[]): Promise<void> {
  if (rows.length === 0) return
  const server = await LanguageServer.start(ROOT)
  const all = []
  const renamed: [string, string][] = []
  for (const row of rows) {
    const [file = '', path = '', to = ''] = row.split(' ')
    const dot = path.lastIndexOf('.')
    const name = path.slice(dot + 1)
    const absolute = join(ROOT, file)
    const text = existsSync(absolute) ? readFileSync(absolute, 'utf8') : null
    const place = text === null ? null : placeOf(text, name, dot < 0 ? null : path.slice(0, dot))
    if (place === null) {
      console.log(`  NOT FOUND: ${row}`)
      continue
    }
    const position = name.startsWith('#') ? { ...place, character: place.character + 1 } : place
    const changes = await server.rename(absolute, position, to)
    const count = Object.values(changes).reduce((sum, edits) => sum + edits.length, 0)
    if (count === 0) console.log(`  REFUSED: ${row}`)
    all.push(changes)
    renamed.push([name, to])
  }
  await server.stop()
  applyEdits(all)
  for (const [from, to] of renamed.filter(([name]) => isCodeWord(name))) {
    for (const file of tracked(/\.ts$/)) rewrite(file, (text) => renameInComments(text, from, to))
    for (const file of tracked(/\.md$/)) rewrite(file, (text) => text.replaceAll(`\`${from}\``, `\`${to}\``))
  }
}

/** Every relative specifier names its file with its ending, so that what it means before and after is plain. */
function moveFiles(rows: readonly string[]): void {
  if (rows.length === 0) return
  const moves = new Map<string, string>()
  for (const row of rows) {
    const [from = '', to = ''] = row.split(' ')
    if (existsSync(join(ROOT, from))) moves.set(from, to)
    else console.log(`  NO FILE: ${from}`)
  }
  for (const file of tracked(/\.ts$/)) {
    const from = dirname(file)
    const to = dirname(moves.get(file) ?? file)
    rewrite(file, (text) =>
      text.replaceAll(SPECIFIER, (whole, quote: string, specifier: string) => {
        const meant = normalize(join(from, specifier))
        if (!existsSync(join(ROOT, meant))) return whole
        const path = relative(to, moves.get(meant) ?? meant)
        return `${quote}${path.startsWith('.') ? path : `./${path}`}${quote}`
      }),
    )
  }
  for (const [from, to] of moves) {
    mkdirSync(dirname(join(ROOT, to)), { recursive: true })
    execFileSync('git', ['mv', from, to], { cwd: ROOT })
  }
  // Paths in scripts, settings and pages.
  for (const file of tracked(/\.(ts|md|json|yaml|svg|run)$|Dockerfile$|\.ci\/run$/)) {
    rewrite(file, (text) => [...moves].reduce((result, [from, to]) => result.replaceAll(from, to), text))
  }
}

function tracked(names: RegExp): readonly string[] {
  const listed = execFileSync('git', ['ls-files'], { cwd: ROOT, encoding: 'utf8' }).split('\n')
  return listed.filter((file) => names.test(file) && !KEPT.test(file))
}

function rewrite(file: string, change: (text: string) => string): void {
  const path = join(ROOT, file)
  const text = readFileSync(path, 'utf8')
  const changed = change(text)
  if (changed !== text) writeFileSync(path, changed)
}
