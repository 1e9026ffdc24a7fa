import { ErrorReason, ErrorReasonSchema } from '../../gen/qscope/v1/error_reason_pb.ts'
import { type Check, type Verdict, VerdictSchema } from '../../gen/qscope/v1/explanation_pb.ts'
import { nameOf } from '../options/options.ts'
import { state, yesNo } from '../output/cell.ts'
import type { Output } from '../output/output.ts'
import type { Column } from '../output/table.ts'

/** The common part of the answers of the explain calls. */
export interface Explanation {
  readonly verdict: Verdict
  readonly checks: readonly Check[]
  /** The reason with which the call would be refused, if the answer has it. */
  readonly errorReason?: ErrorReason
}

const CHECK_COLUMNS: readonly Column<Check>[] = [
  { heading: 'CHECK', value: ({ name }) => name, whole: true },
  { heading: 'PASSED', value: ({ passed }) => state(yesNo(passed)) },
  { heading: 'FOUND', value: ({ detail }) => detail, wrap: true },
]

/** The verdict, the checks in order, and finally the remedy. */
export function explanationText(
  { verdict, checks, errorReason = ErrorReason.UNSPECIFIED }: Explanation,
  output: Output,
): string {
  const fix = checks.at(-1)?.fix ?? ''
  return [
    output.pairs([
      ['verdict', state(nameOf(VerdictSchema, verdict))],
      [
        'error',
        errorReason === ErrorReason.UNSPECIFIED ? null : (ErrorReasonSchema.value[errorReason]?.localName ?? null),
      ],
    ]),
    '',
    output.table(CHECK_COLUMNS, checks),
    ...(fix === '' ? [] : ['', output.pairs([['to do', fix]])]),
  ].join('\n')
}
