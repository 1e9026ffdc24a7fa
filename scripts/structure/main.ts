/**
 * `node scripts/structure/main.ts [folder]` counts what makes a source tree easy or hard to find one's way in, as a row of
 * Markdown for each figure. `docs/decisions/0025-one-map.md` compares two states with it.
 */
import { execFileSync } from 'node:child_process'
import { join, resolve } from 'node:path'
import { OLD_NAMES } from './old-names.ts'
import { identifiersOf, SourceTree } from './source-tree.ts'

const FORWARDS = 16
const root = resolve(process.argv[2] ?? join(import.meta.dirname, '..', '..'))
const tree = new SourceTree(join(root, 'src'))
const sizes = tree.files.map((file) => tree.linesOf(file)).toSorted((a, b) => a - b)
const importers = new Map<string, number>()
for (const file of tree.files) {
  for (const target of new Set(tree.dependenciesOf(file))) importers.set(target, (importers.get(target) ?? 0) + 1)
}
/** Of the source files, those in which an expression is found, by git's own search. */
const filesWith = (expression: string, ...folders: string[]): number => {
  const where = folders.map((folder) => `src/${folder}`)
  const listed = execFileSync('git', ['grep', '-lE', expression, '--', ...where, ':!src/gen'], { cwd: root })
  return listed.toString().trim().split('\n').length
}

const figures: readonly (readonly [string, number])[] = [
  ['files', tree.files.length],
  ['lines of a file, median', sizes[Math.floor(sizes.length / 2)] ?? 0],
  ['lines of a file, 90th percentile', sizes[Math.floor(sizes.length * 0.9)] ?? 0],
  [`files of at most ${FORWARDS} lines`, sizes.filter((size) => size <= FORWARDS).length],
  ['files with one importer', [...importers.values()].filter((count) => count === 1).length],
  ['cycles of files', tree.fileCycles().length],
  ['pairs of folders that import each other', tree.mutualFolders().length],
  ['variables and collections that modules hold', tree.moduleState().length],
  [
    'files of config that one variable touches: QSCOPE_MAX_MESSAGE_BYTES',
    filesWith('QSCOPE_MAX_MESSAGE_BYTES|maxMessageBytes', 'config'),
  ],
  ['files that one token column touches: certificate_hash', filesWith('certificate_hash', 'stores')],
  [
    'identifiers of the private language',
    tree.files.reduce((sum, file) => sum + [...identifiersOf(tree.textOf(file)).matchAll(OLD_NAMES)].length, 0),
  ],
]
for (const [name, figure] of figures) console.log(`| ${name} | ${figure} |`)
