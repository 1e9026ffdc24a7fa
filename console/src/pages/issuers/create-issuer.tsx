import { useState } from 'preact/hooks'
import { CreationForm } from '../../components/creation-form.tsx'
import { useSession } from '../../hooks/session.ts'
import { linkTo } from '../../route.ts'
import { issuerOf, NEW_ISSUER } from './draft.ts'
import { IssuerForm } from './issuer-form.tsx'

export function CreateIssuer() {
  const { trust } = useSession().api
  const [draft, setDraft] = useState(NEW_ISSUER)
  return (
    <CreationForm
      draft={draft}
      validate={(wanted, signal) =>
        trust.createTrustedIssuer({ trustedIssuer: issuerOf(wanted), validateOnly: true }, { signal })
      }
      create={() => trust.createTrustedIssuer({ trustedIssuer: issuerOf(draft) })}
      onCreated={({ trustedIssuer }) => {
        location.hash = linkTo('issuers', trustedIssuer?.issuer)
      }}
      action="Create"
      busy="Creating…"
      accepted={() => 'The server accepts this issuer.'}
    >
      {(refusal) => <IssuerForm draft={draft} onChange={setDraft} isCreated={false} refusal={refusal} />}
    </CreationForm>
  )
}
