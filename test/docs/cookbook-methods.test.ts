import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'
import { SERVICES } from '../../scripts/service-config.ts'
import { blocksOf } from './page.ts'
import { TOOLS } from './recorded-page.ts'

const ROOT = resolve(import.meta.dirname, '..', '..')
const COOKBOOK = join(ROOT, 'docs', 'cookbook')
const blocks = readdirSync(COOKBOOK).flatMap((page) => blocksOf(readFileSync(join(COOKBOOK, page), 'utf8')))

test('the cookbook covers every service', () => {
  const files = readdirSync(join(ROOT, 'proto', 'qscope', 'v1'))
  const named = files.filter((name) => name.endsWith('_service.proto')).map((name) => `qscope/v1/${name}`)
  expect(SERVICES.map(({ file }) => file.proto.name ?? '').toSorted()).toEqual(named.toSorted())
})

const methods = SERVICES.flatMap((service) => service.methods.map(({ name }) => `${service.typeName}/${name}`))

test.each(methods)('%s is called with each tool, and its answer shown', (method) => {
  const called = [...blocks.keys()].filter((at) => new RegExp(`${method}\\b`).test(blocks[at]?.text ?? ''))
  for (const tool of TOOLS) expect(called.some((at) => blocks[at]?.text.includes(tool))).toBe(true)
  expect(called.some((at) => blocks[at + 1]?.language === 'json')).toBe(true)
})

test('the index of the cookbook names every method on the page of its service', () => {
  const index = readFileSync(join(COOKBOOK, 'README.md'), 'utf8')
  expect(methods.filter((method) => !index.includes(method))).toEqual([])
})
