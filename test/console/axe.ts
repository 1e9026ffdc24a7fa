import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Page } from 'playwright-core'

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

/** What axe-core finds wrong with the page as it is, a line for each place. It is run by the debugger, past the page's policy. */
export async function axeFindings(page: Page): Promise<readonly string[]> {
  await page.evaluate(AXE)
  // Written in JavaScript: nothing of the tests is compiled for browsers.
  return await page.evaluate<string[]>(`axe.run().then(({ violations }) =>
    violations.flatMap(({ id, impact, nodes }) => nodes.map(({ target }) => impact + ' ' + id + ': ' + target.join(' '))))`)
}
