import { useState } from 'preact/hooks'
import type { ExplainTokenResponse } from '../../../src/gen/qscope/v1/token_service_pb.ts'
import { type Refusal, refusalOf } from '../api/refusal.ts'
import { Explanation } from '../components/explanation.tsx'
import { TextField } from '../components/field.tsx'
import { Form } from '../components/form.tsx'
import { Heading } from '../components/heading.tsx'
import { Permitted } from '../components/permitted.tsx'
import { RefusalNotice } from '../components/refusal-notice.tsx'
import { useSession } from '../hooks/session.ts'
import { wordsOf } from '../text.ts'

export function Inspector() {
  return (
    <>
      <Heading>Token inspector</Heading>
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
      {answer !== null && <Explanation of="token" answer={answer} />}
    </>
  )
}
