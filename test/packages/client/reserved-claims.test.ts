import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { RESERVED_CLAIMS } from '../../../src/domain/reserved-claims.ts'

const ROOT = join(import.meta.dirname, '..', '..', '..')

it.each([
  'packages/client/src/verification/extra-claims.ts',
  'clients/go/extra_claims.go',
  'clients/python/src/qscope_client/extra_claims.py',
  'clients/java/src/main/java/internal/qscope/client/ExtraClaims.java',
])('%s has the names that the server reserves', (file) => {
  const text = readFileSync(join(ROOT, file), 'utf8')
  const from = text.slice(text.search(/RESERVED|reservedClaims/))
  const list = from.slice(0, from.search(/\n\s*\}?\]?\)|\);/))
  const names = Array.from(list.matchAll(/["']([a-z0-9_]+)["']/g), ([, name]) => name)
  expect(names.toSorted()).toEqual([...RESERVED_CLAIMS].sort())
})
