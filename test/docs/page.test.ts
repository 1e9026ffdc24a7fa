import { expect, test } from 'vitest'
import { anchorsOf, blocksOf, fileLinksOf, linksOf, matchesJson, matchesText } from './page.ts'

test('blocks are found with their language, in order', () => {
  const page = 'x\n```sh\na\nb\n```\ny\n```json\n{}\n```\n'
  expect(blocksOf(page)).toEqual([
    { language: 'sh', text: 'a\nb\n' },
    { language: 'json', text: '{}\n' },
  ])
})

test('links to files are found outside of blocks', () => {
  expect(fileLinksOf('[a](b.md#c) [d](https://e.f) [g](#h)\n```sh\n[i](j)\n```\n')).toEqual(['b.md'])
})

test('links to headings are distinguished from links to files', () => {
  expect(linksOf('[a](b.md#c) [g](#h) ![i](j.svg)')).toEqual([
    { file: 'b.md', anchor: 'c' },
    { file: '', anchor: 'h' },
    { file: 'j.svg', anchor: null },
  ])
})

test('headings have the anchors of Git hosts', () => {
  const page = '# A b, `C`\n## [D](e.md)!\n```sh\n# no heading\n```\n## D\n'
  expect([...anchorsOf(page)]).toEqual(['a-b-c', 'd', 'd-1'])
})

test.each([
  ['{"a": "x…"}', '{"a": "xyz", "b": 1}', true],
  ['{"a": "x…"}', '{"a": "yz"}', false],
  ['{"a": {"b": [1]}}', '{"a": {"b": [1]}}', true],
  ['{"a": {"b": [1]}}', '{"a": {"b": [1, 2]}}', false],
  ['{"a": true}', '{}', false],
])('%s shown of %s: %s', (shown, printed, matches) => {
  expect(matchesJson(shown, printed)).toBe(matches)
})

test.each([
  ['a\nc', 'a\nb\n  c,\n', true],
  ['c\na', 'a\nb\nc', false],
  ['a …', 'a b', true],
  ['a\na', 'a', false],
])('%j shown of %j: %s', (shown, printed, matches) => {
  expect(matchesText(shown, printed)).toBe(matches)
})
