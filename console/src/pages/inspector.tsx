import { useState } from 'preact/hooks'
import type { ExplainTokenResponse } from '../../../src/gen/qscope/v1/token_service_pb.ts'
import { Explanation } from '../components/explanation.tsx'
import { TextField } from '../components/field.tsx'
import { Form } from '../components/form.tsx'
import { Heading } from '../components/heading.tsx'
import { Permitted } from '../components/permitted.tsx'
import { RefusalNotice } from '../components/refusal-notice.tsx'
import { useSession } from '../hooks/session.ts'
import { useWork } from '../hooks/use-work.ts'
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
  const { isBusy, refusal, run } = useWork()
  const explain = () => {
    setAnswer(null)
    const wanted = audience.trim() === '' ? {} : { audience: audience.trim() }
    const request = { token: token.trim(), requiredScopes: wordsOf(scopes), ...wanted }
    return run((signal) => api.tokens.explainToken(request, { signal }), setAnswer)
  }
  return (
    <>
      <Form onSubmit={explain} isBusy={isBusy}>
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
        <button type="submit" class="primary">
          {isBusy ? 'Inspecting…' : 'Inspect'}
        </button>
      </Form>
      <RefusalNotice refusal={refusal} />
      {answer !== null && <Explanation of="token" answer={answer} />}
    </>
  )
}
