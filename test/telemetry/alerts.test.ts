import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'

const ROOT = join(import.meta.dirname, '..', '..')
const alerts = readFileSync(join(ROOT, 'deploy', 'prometheus', 'alerts.yaml'), 'utf8')
const source = globSync('src/**/*.ts', { cwd: ROOT })
  .map((file) => readFileSync(join(ROOT, file), 'utf8'))
  .join('\n')

it('refer to log lines that the server writes', () => {
  const named = [...alerts.matchAll(/\blog (?:line|says) `([^`]+)`/g)].map(([, line = '']) => line)
  expect(named.length).toBeGreaterThan(1)
  for (const line of named) {
    const isWritten = [`'${line}'`, `\`${line}: \${`].some((text) => source.includes(text))
    expect(isWritten, line).toBe(true)
  }
})
