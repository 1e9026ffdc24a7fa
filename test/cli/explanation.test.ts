import { create } from '@bufbuild/protobuf'
import { describe, expect, it } from 'vitest'
import { Output } from '../../src/cli/output/output.ts'
import { explanationText } from '../../src/cli/views/explanation.ts'
import { MINT_CHECKS, UNKNOWN_CLIENT } from '../../src/flows/grants/mint-checks.ts'
import { END_CHECKS, TOKEN_CHECKS, UNKNOWN_TOKEN } from '../../src/flows/tokens/explain-token.ts'
import { ErrorReason } from '../../src/gen/qscope/v1/error_reason_pb.ts'
import { CheckSchema, Verdict } from '../../src/gen/qscope/v1/explanation_pb.ts'

const COLUMNS = 80
/** As long as a thumbprint and a token id, which cannot be broken. */
const detail = `it is bound to certificate ${'x'.repeat(43)}; of token ${'0'.repeat(36)}; its scopes: orders.read orders.write`

const texts = [
  UNKNOWN_CLIENT,
  UNKNOWN_TOKEN,
  ...Object.values(MINT_CHECKS),
  ...Object.values(TOKEN_CHECKS),
  ...Object.values(END_CHECKS),
].map(({ name, fix }) => ({ name, fix: typeof fix === 'string' ? fix : fix({}) }))

describe('an explanation in a terminal of 80 columns', () => {
  it.each(texts)('shows $name, the findings and the remedy, without truncation', ({ name, fix }) => {
    const passed = create(CheckSchema, { name: 'client_is_registered', passed: true, detail: 'client orders' })
    const failed = create(CheckSchema, { name, passed: false, detail, fix })
    const explanation = {
      verdict: Verdict.REFUSED,
      checks: [passed, failed],
      errorReason: ErrorReason.OAUTH_INVALID_TOKEN,
    }
    const lines = explanationText(explanation, new Output({}, { width: COLUMNS, colours: false })).split('\n')
    expect(lines.filter((line) => line.length > COLUMNS)).toEqual([])
    expect(lines.some((line) => line.startsWith(`${name} `) && / no /.test(line))).toBe(true)
    const last = lines.findIndex((line) => line.startsWith('to do  '))
    expect(joined(lines.slice(last).map((line) => line.slice('to do  '.length)))).toBe(fix)
    const found = lines
      .slice(
        lines.findIndex((line) => line.startsWith('CHECK ')),
        last,
      )
      .join('')
      .replaceAll(/\s/g, '')
    for (const word of ['x'.repeat(20), 'orders.read', 'orders.write']) expect(found).toContain(word)
    expect(lines.slice(0, 2)).toEqual(['verdict  refused', 'error    OAUTH_INVALID_TOKEN'])
  })
})

function joined(lines: readonly string[]): string {
  return lines.join(' ')
}
