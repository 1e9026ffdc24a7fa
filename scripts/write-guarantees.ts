/**
 * Writes the table of guarantees into docs/databases.md from what `qscope doctor`
 * knows: `npm run docs`. With `--check` it only compares, and fails when they differ.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DEPLOYMENTS, type Deployment, type Evidence, evidenceOf, GUARANTEES } from '../src/app/doctor/guarantees.ts'

const PAGE = join(import.meta.dirname, '..', 'docs', 'databases.md')
const BEGIN = '<!-- guarantees: written by npm run docs -->\n'
const END = '<!-- end of guarantees -->'

const page = await readFile(PAGE, 'utf8')
const from = page.indexOf(BEGIN)
const to = page.indexOf(END)
if (from < 0 || to < from) fail('docs/databases.md lacks the marks between which the guarantees stand')
const written = `${page.slice(0, from)}${BEGIN}\n${table()}\n\n${page.slice(to)}`
if (!process.argv.includes('--check')) await writeFile(PAGE, written)
else if (written !== page) {
  fail('docs/databases.md is not in sync with src/app/doctor/guarantees.ts; run npm run docs')
}

function table(): string {
  const deployments = Object.keys(DEPLOYMENTS) as readonly Deployment[]
  const rows = [
    ['', ...deployments.map((deployment) => DEPLOYMENTS[deployment])],
    ['---', ...deployments.map(() => '---')],
    ...GUARANTEES.map((guarantee) => [
      `\`${guarantee.name}\`: ${guarantee.claim}`,
      ...deployments.map((deployment) => cell(evidenceOf(guarantee, deployment))),
    ]),
  ]
  return rows.map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}

function cell(evidence: Evidence): string {
  switch (evidence) {
    case 'notRun':
      return 'not run'
    case 'none':
      return '–'
    default:
      return `[shown](../${evidence})`
  }
}

function fail(problem: string): never {
  console.error(problem)
  process.exit(1)
}
