import type { ComponentChildren } from 'preact'
import { type Check, Verdict } from '../../../src/gen/qscope/v1/explanation_pb.ts'
import { Badge, type Tone } from './facts.tsx'

const VERDICTS: Readonly<Record<Verdict, readonly [tone: Tone, text: string]>> = {
  [Verdict.UNSPECIFIED]: ['plain', 'no verdict'],
  [Verdict.ACCEPTED]: ['good', 'accepted'],
  [Verdict.REFUSED]: ['bad', 'refused'],
  [Verdict.UNKNOWN]: ['warning', 'unknown'],
}

interface ExplanationProps {
  /** What was judged, such as `token`. */
  readonly of: string
  readonly answer: { readonly verdict: Verdict; readonly checks: readonly Check[] }
  /** What else the answer says. */
  readonly children?: ComponentChildren
}

/** A verdict and the checks that led to it. */
export function Explanation({ of, answer: { verdict, checks }, children }: ExplanationProps) {
  const [tone, text] = VERDICTS[verdict] ?? VERDICTS[Verdict.UNSPECIFIED]
  return (
    <section aria-label="Explanation" aria-live="polite">
      <h2>
        The {of} is <Badge tone={tone}>{text}</Badge>
      </h2>
      {children}
      <ol class="checks">
        {checks.map((check) => (
          <CheckItem key={check.name} check={check} />
        ))}
      </ol>
    </section>
  )
}

function CheckItem({ check: { name, passed, detail, fix } }: { readonly check: Check }) {
  return (
    <li>
      <Badge tone={passed ? 'good' : 'bad'}>{passed ? 'passed' : 'failed'}</Badge>{' '}
      <strong>{name.replaceAll('_', ' ')}</strong>
      <p>{detail}</p>
      {fix !== '' && (
        <p>
          <strong>How to fix it:</strong> {fix}
        </p>
      )}
    </li>
  )
}
