import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Results } from './results.ts'
import { resultsPicture } from './svg.ts'
import { reportText } from './text.ts'

const DIRECTORY = join(import.meta.dirname, '..', '..', 'docs', 'benchmarks')

/** Writes the files of the documentation: the numbers, a table and a picture. */
export function saveResults(results: Results): void {
  mkdirSync(DIRECTORY, { recursive: true })
  writeFileSync(join(DIRECTORY, 'results.json'), `${JSON.stringify(results, null, 2)}\n`)
  writeFileSync(join(DIRECTORY, 'results.md'), `# Results\n\n${reportText(results)}`)
  writeFileSync(join(DIRECTORY, 'results.svg'), resultsPicture(results))
}
