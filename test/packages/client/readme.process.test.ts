import { execFileSync } from 'node:child_process'
import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { blocksOf } from '../../docs/page.ts'
import { type InstalledClient, installClient } from '../../setup/installed-client.ts'

const ROOT = resolve(import.meta.dirname, '..', '..', '..')
const STRICT = {
  compilerOptions: {
    target: 'es2024',
    module: 'nodenext',
    types: ['node'],
    strict: true,
    noUncheckedIndexedAccess: true,
    exactOptionalPropertyTypes: true,
    noPropertyAccessFromIndexSignature: true,
    allowImportingTsExtensions: true,
    verbatimModuleSyntax: true,
    noEmit: true,
    skipLibCheck: true,
  },
  include: ['*.ts'],
}

let installed: InstalledClient
beforeAll(() => {
  installed = installClient()
  cpSync(join(ROOT, 'src', 'gen', 'grpc', 'health'), join(installed.folder, 'gen', 'grpc', 'health'), {
    recursive: true,
  })
  writeFileSync(join(installed.folder, 'package.json'), JSON.stringify({ type: 'module' }))
  writeFileSync(join(installed.folder, 'tsconfig.json'), JSON.stringify(STRICT))
})
afterAll(() => installed.remove())

it('the examples of the README compile against the published package in strict mode', () => {
  const page = readFileSync(join(ROOT, 'packages', 'client', 'README.md'), 'utf8')
  const examples = blocksOf(page).filter(({ language }) => language === 'ts')
  expect(examples.length).toBeGreaterThan(7)
  for (const [index, { text }] of examples.entries()) writeFileSync(join(installed.folder, `example-${index}.ts`), text)
  expect(errorsIn(installed.folder)).toBe('')
})

it('an example with a mistake does not compile', () => {
  writeFileSync(
    join(installed.folder, 'mistake.ts'),
    "import { methodAccess } from '@qscope/client'\nimport { Health } from './gen/grpc/health/v1/health_pb.ts'\nexport const access = methodAccess(Health, { check: [] })\n",
  )
  expect(errorsIn(installed.folder)).toMatch(/mistake\.ts.*list, watch|mistake\.ts.*missing/)
})

function errorsIn(folder: string): string {
  try {
    execFileSync(join(ROOT, 'node_modules', '.bin', 'tsc'), ['-p', folder], { encoding: 'utf8', stdio: 'pipe' })
    return ''
  } catch (error) {
    if (error instanceof Error && 'stdout' in error) return String(error.stdout)
    throw error
  }
}
