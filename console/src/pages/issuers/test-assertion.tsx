import { useState } from 'preact/hooks'
import { AssertionUse, type TestAssertionResponse } from '../../../../src/gen/qscope/v1/trust_service_pb.ts'
import { Explanation } from '../../components/explanation.tsx'
import { Facts, Values } from '../../components/facts.tsx'
import { SelectField, TextField } from '../../components/field.tsx'
import { Form } from '../../components/form.tsx'
import { optionsOf } from '../../components/options.ts'
import { RefusalNotice } from '../../components/refusal-notice.tsx'
import { useSession } from '../../hooks/session.ts'
import { useWork } from '../../hooks/use-work.ts'
import { linkTo } from '../../route.ts'
import { ASSERTION_USES } from './labels.ts'

export function TestAssertion() {
  const { trust } = useSession().api
  const [assertion, setAssertion] = useState('')
  const [use, setUse] = useState(String(AssertionUse.AUTHORIZATION_GRANT))
  const [answer, setAnswer] = useState<TestAssertionResponse | null>(null)
  const { isBusy, refusal, run } = useWork()
  const test = () => {
    setAnswer(null)
    const request = { assertion: assertion.trim(), use: Number(use) as AssertionUse }
    return run((signal) => trust.testAssertion(request, { signal }), setAnswer)
  }
  return (
    <>
      <Form onSubmit={test} isBusy={isBusy}>
        <TextField label="Assertion" value={assertion} onInput={setAssertion} rows={5} required autocomplete="off" />
        <SelectField label="It is presented" value={use} onChange={setUse} options={optionsOf(ASSERTION_USES)} />
        <button type="submit" class="primary">
          {isBusy ? 'Testing…' : 'Test'}
        </button>
      </Form>
      <RefusalNotice refusal={refusal} />
      {answer !== null && (
        <Explanation of="assertion" answer={answer}>
          <AssertionFacts of={answer} />
        </Explanation>
      )}
    </>
  )
}

/** What is known of the assertion: less, the earlier a check failed. */
function AssertionFacts({ of }: { readonly of: TestAssertionResponse }) {
  const { issuer, subject, clientId, scopes, tokenClaims } = of
  return (
    <Facts
      of={[
        ['Issuer', issuer === '' ? 'none that is trusted' : <a href={linkTo('issuers', issuer)}>{issuer}</a>],
        ['Subject', subject === '' ? 'not known' : <code>{subject}</code>],
        ['Client', clientId === '' ? 'none' : <a href={linkTo('clients', clientId)}>{clientId}</a>],
        ['Scopes', <Values of={scopes} />],
        ['Claims of the token', <Values of={Object.entries(tokenClaims ?? {}).map(claimText)} />],
      ]}
    />
  )
}

function claimText([name, value]: readonly [string, unknown]): string {
  return `${name}: ${JSON.stringify(value)}`
}
