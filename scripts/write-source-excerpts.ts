/**
 * Writes the TypeScript that the pages of docs/ show from the source: `npm run docs`. With `--check` it only compares,
 * and fails when they differ. Above such a block, a comment names the file and the declarations.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { withExcerpts } from './source-excerpts.ts'

const root = join(import.meta.dirname, '..')
const check = process.argv.includes('--check')

const problems: string[] = []
for (const name of readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })) {
  if (!name.endsWith('.md')) continue
  const path = join(root, 'docs', name)
  const page = readFileSync(path, 'utf8')
  try {
    const text = withExcerpts(page, (file) => readFileSync(join(root, file), 'utf8'))
    if (text === page) continue
    if (check) problems.push(`docs/${name} is not in sync with the source; run npm run docs`)
    else writeFileSync(path, text)
  } catch (error) {
    problems.push(`docs/${name}: ${error instanceof Error ? error.message : String(error)}`)
  }
}
if (problems.length > 0) {
  console.error(problems.join('\n'))
  process.exit(1)
}
