import { Heading } from '../../components/heading.tsx'
import { ObjectPage } from '../../components/object-page.tsx'
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
        <Heading>Create a trusted issuer</Heading>
        <Permitted permission="qscope:trust.write">
          <CreateIssuer />
        </Permitted>
      </>
    )
  }
  if (page === 'test-assertion') {
    return (
      <>
        <Heading>Test an assertion</Heading>
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
  if (id !== '') {
    return (
      <ObjectPage kind="trusted issuer" name={id} permission="qscope:trust.read">
        {(isEditing, setEditing) => <IssuerDetail issuer={id} isEditing={isEditing} onEdit={setEditing} />}
      </ObjectPage>
    )
  }
  return (
    <>
      <Heading>Trusted issuers</Heading>
      <Permitted permission="qscope:trust.read">
        <IssuerList />
      </Permitted>
    </>
  )
}
