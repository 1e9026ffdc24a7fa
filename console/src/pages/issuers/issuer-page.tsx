import { Permitted } from '../../components/permitted.tsx'
import type { Route } from '../../route.ts'
import { CreateIssuer } from './create-issuer.tsx'
import { IssuerDetail } from './issuer-detail.tsx'
import { IssuerList } from './issuer-list.tsx'
import { TestAssertion } from './test-assertion.tsx'

export function IssuerPage({ route: { page, id } }: { readonly route: Route }) {
  if (page === 'create-issuer') {
    return (
      <>
        <h1>Create a trusted issuer</h1>
        <Permitted permission="qscope:trust.write">
          <CreateIssuer />
        </Permitted>
      </>
    )
  }
  if (page === 'test-assertion') {
    return (
      <>
        <h1>Test an assertion</h1>
        <p>
          Paste an assertion to see each check that the server makes, and how to fix the one that fails. Nothing is
          issued, and the assertion is not used up.
        </p>
        <Permitted permission="qscope:trust.read">
          <TestAssertion />
        </Permitted>
      </>
    )
  }
  return (
    <>
      <h1>{id === '' ? 'Trusted issuers' : id}</h1>
      <Permitted permission="qscope:trust.read">{id === '' ? <IssuerList /> : <IssuerDetail issuer={id} />}</Permitted>
    </>
  )
}
