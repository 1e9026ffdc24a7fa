import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'

const ROOT = resolve(import.meta.dirname, '..')
const read = (name: string) => readFileSync(join(ROOT, name), 'utf8')

test('.node-version names the Node that the packages bring along', () => {
  expect(read('.node-version').trim()).toBe(JSON.parse(read('package.json')).devDependencies.node)
})

test('.editorconfig says what biome.json formats by', () => {
  const { formatter } = JSON.parse(read('biome.json'))
  const [, everywhere = ''] = read('.editorconfig').split(/^\[.*\]$/m)
  const settings = Object.fromEntries(
    [...everywhere.matchAll(/^(\w+) = (\S+)$/gm)].map(([, name, value]) => [name, value]),
  )
  expect(settings).toMatchObject({
    indent_style: formatter.indentStyle,
    indent_size: String(formatter.indentWidth),
    max_line_length: String(formatter.lineWidth),
    // What Biome does unless told otherwise.
    end_of_line: 'lf',
    insert_final_newline: 'true',
  })
})

test('the programs that an editor starts are there', () => {
  const paths = [...read('.vscode/launch.json').matchAll(/"\$\{workspaceFolder\}\/([^"]+)"/g)].map(
    ([, path = '']) => path,
  )
  expect(paths).toHaveLength(4)
  expect(paths.filter((path) => !existsSync(join(ROOT, path)))).toEqual([])
})

test('debugging.md names the settings of the debugger as they are called', () => {
  const names: string[] = JSON.parse(read('.vscode/launch.json')).configurations.map(
    ({ name }: { name: string }) => name,
  )
  const page = read('docs/debugging.md')
  expect(names.filter((name) => name !== 'Serve' && !page.includes(`\`${name}\``))).toEqual([])
})
