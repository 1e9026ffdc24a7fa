import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { linkOnSite } from '../../scripts/site/site-links.ts'
import { siteProblems } from '../../scripts/site/site-problems.ts'

/** A built site of one page that the other pages of the test may link to. */
function siteOf(files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), 'qscope-site-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const all = { 'there.html': '<h2 id="here">Here</h2>', ...files }
  for (const [name, text] of Object.entries(all)) writeFileSync(join(folder, name), text)
  return folder
}

test('a site whose links lead to pages and headings has no problem', () => {
  const links = ['/there.html', './there.html#here', '#own', 'https://elsewhere.example/', 'mailto:a@b.example']
  const html = `<p id="own">${links.map((link) => `<a class="x" href="${link}">x</a>`).join('')}</p>`
  expect(siteProblems(siteOf({ 'index.html': `${html}<a href="/">home</a><img src="data:,x">` }))).toEqual([])
})

test.each([
  ['<a href="/nowhere.html">x</a>', 'index.html links to /nowhere.html, which does not exist'],
  ['<a href="/there.html#gone">x</a>', 'index.html links to /there.html#gone, which has no such heading'],
  ['<a href="#gone">x</a>', 'index.html links to #gone, which has no such heading'],
  ['<script src="/gone.js"></script>', 'index.html links to /gone.js, which does not exist'],
  ['<script src="https://cdn.example/a.js"></script>', 'index.html loads https://cdn.example/a.js'],
  ['<link rel="preload" href="//fonts.example/a.woff2">', 'index.html loads //fonts.example/a.woff2'],
  ['<img alt="" src="http://pixel.example/">', 'index.html loads http://pixel.example/'],
])('finds %s', (html, problem) => {
  expect(siteProblems(siteOf({ 'index.html': html }))).toEqual([problem])
})

test('finds what a style loads from another host', () => {
  const folder = siteOf({ 'style.css': '@font-face { src: url("https://fonts.example/a.woff2") }' })
  expect(siteProblems(folder)).toEqual(['style.css loads https://fonts.example/a.woff2'])
})

test.each([
  ['flows/README.md', '../errors.md#limit-exceeded', '/errors.md#limit-exceeded'],
  ['README.md', 'flows/README.md', '/flows/index.md'],
  ['README.md', 'decisions/', '/decisions/index.md'],
  ['README.md', '../CONTRIBUTING.md', null],
  ['flows/token-exchange.md', '../../src/main.ts', null],
  ['tls.md', '#own', '#own'],
  ['tls.md', 'https://elsewhere.example/a', 'https://elsewhere.example/a'],
])('on %s, the link %s leads to %s', (page, href, link) => {
  expect(linkOnSite(page, href)).toBe(link)
})
