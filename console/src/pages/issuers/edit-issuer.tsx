import type { TrustedIssuer } from '../../../../src/gen/qscope/v1/trust_service_pb.ts'
import { EditForm } from '../../components/edit-form.tsx'
import { useSession } from '../../hooks/session.ts'
import { draftOf, ISSUER_FIELDS, updateOf } from './draft.ts'
import { IssuerForm } from './issuer-form.tsx'

interface EditIssuerProps {
  readonly issuer: TrustedIssuer
  readonly onDone: () => void
  readonly onCancel: () => void
}

export function EditIssuer({ issuer, onDone, onCancel }: EditIssuerProps) {
  const { trust } = useSession().api
  return (
    <EditForm
      read={issuer}
      draftOf={draftOf}
      fields={ISSUER_FIELDS}
      update={(before, after, etag) => trust.updateTrustedIssuer(updateOf(before, after, etag))}
      validate={(before, after, signal) =>
        trust.updateTrustedIssuer({ ...updateOf(before, after, ''), validateOnly: true }, { signal })
      }
      readAgain={async () => (await trust.getTrustedIssuer({ issuer: issuer.issuer })).trustedIssuer}
      onDone={onDone}
      onCancel={onCancel}
    >
      {(draft, setDraft, refusal) => <IssuerForm draft={draft} onChange={setDraft} isCreated refusal={refusal} />}
    </EditForm>
  )
}
