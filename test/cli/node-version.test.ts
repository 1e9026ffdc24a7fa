import { expect, test } from 'vitest'
import { nodeVersionProblem } from '../../src/cli/bootstrap.ts'

test('a Node.js that is too old is reported in one line before a missing feature fails', () => {
  expect(nodeVersionProblem('v20.20.2')).toBe('QScope needs Node.js 24 or newer; this is v20.20.2')
  expect(nodeVersionProblem('v24.0.0')).toBeNull()
  expect(nodeVersionProblem('v100.1.0')).toBeNull()
})
