import { useState } from 'preact/hooks'
import { type Check, Verdict } from '../../../src/gen/qscope/v1/explanation_pb.ts'
import type { ExplainTokenResponse } from '../../../src/gen/qscope/v1/token_service_pb.ts'
import { type Refusal, refusalOf } from '../api/refusal.ts'
import { Badge, type Tone } from '../components/facts.tsx'
import { TextField } from '../components/field.tsx'
import { Form } from '../components/form.tsx'
import { Permitted } from '../components/permitted.tsx'
import { RefusalNotice } from '../components/refusal-notice.tsx'
import { useSession } from '../hooks/session.ts'
import { wordsOf } from '../text.ts'

export function Inspector() {
  return (
    <>
      <h1>Token inspector</h1>
      <p>
        Paste an access token to see each check that VerifyToken makes, and how to fix the one that fails. The token is
        sent to this server and nowhere else.
      </p>
      <Permitted permission="qscope:tokens.read">
        <Inspection />
      </Permitted>
    </>
  )
}

function Inspection() {
  const { api } = useSession()
  const [token, setToken] = useState('')
  const [audience, setAudience] = useState('')
  const [scopes, setScopes] = useState('')
  const [answer, setAnswer] = useState<ExplainTokenResponse | null>(null)
  const [refusal, setRefusal] = useState<Refusal | null>(null)
  const [isBusy, setBusy] = useState(false)
  const explain = async () => {
    setBusy(true)
    setAnswer(null)
    setRefusal(null)
    try {
      const wanted = audience.trim() === '' ? {} : { audience: audience.trim() }
      setAnswer(await api.tokens.explainToken({ token: token.trim(), requiredScopes: wordsOf(scopes), ...wanted }))
    } catch (error) {
      setRefusal(refusalOf(error))
    }
    setBusy(false)
  }
  return (
    <>
      <Form onSubmit={explain}>
        <TextField label="Token" value={token} onInput={setToken} rows={3} required autocomplete="off" />
        <div class="columns">
          <TextField
            label="Audience"
            value={audience}
            onInput={setAudience}
            hint="The resource server that asks; may be empty."
          />
          <TextField label="Required scopes" value={scopes} onInput={setScopes} hint="Separated by white space." />
        </div>
        <button type="submit" class="primary" disabled={isBusy}>
          {isBusy ? 'Inspecting…' : 'Inspect'}
        </button>
      </Form>
      <RefusalNotice refusal={refusal} />
      {answer !== null && <Explanation answer={answer} />}
    </>
  )
}

const VERDICTS: Readonly<Record<Verdict, readonly [tone: Tone, text: string]>> = {
  [Verdict.UNSPECIFIED]: ['plain', 'no verdict'],
  [Verdict.ACCEPTED]: ['good', 'accepted'],
  [Verdict.REFUSED]: ['bad', 'refused'],
  [Verdict.UNKNOWN]: ['warning', 'unknown'],
}

function Explanation({ answer: { verdict, checks } }: { readonly answer: ExplainTokenResponse }) {
  const [tone, text] = VERDICTS[verdict] ?? VERDICTS[Verdict.UNSPECIFIED]
  return (
    <section aria-label="Explanation" aria-live="polite">
      <h2>
        The token is <Badge tone={tone}>{text}</Badge>
      </h2>
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
