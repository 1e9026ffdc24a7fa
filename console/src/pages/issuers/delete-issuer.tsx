import type { TrustedIssuer } from '../../../../src/gen/qscope/v1/trust_service_pb.ts'
import { Confirmation } from '../../components/dialog.tsx'
import { useSession } from '../../hooks/session.ts'
import { linkTo } from '../../route.ts'

interface DeleteIssuerProps {
  /** As it was read: another version is not deleted. */
  readonly of: TrustedIssuer
  readonly onClose: () => void
}

/** Ends the trust in an issuer, after saying what that ends and what it does not. */
export function DeleteIssuer({ of: { issuer, etag, rules }, onClose }: DeleteIssuerProps) {
  const { trust } = useSession().api
  const clients = [...new Set(rules.map(({ clientId }) => clientId))]
  return (
    <Confirmation
      title={`Delete ${issuer}`}
      action="Delete"
      danger
      onClose={onClose}
      onConfirm={() => trust.deleteTrustedIssuer({ issuer, etag })}
      onDone={() => {
        location.hash = linkTo('issuers')
      }}
    >
      <p>From the next call on, at every instance, the assertions of this issuer are refused.</p>
      <p>Tokens that were issued for them live on, until they expire. To end them, revoke them by their client.</p>
      {clients.length > 0 && (
        <ul>
          {clients.map((clientId) => (
            <li key={clientId}>
              <a href={linkTo('tokens', undefined, { client: clientId })}>Tokens of {clientId}</a>
            </li>
          ))}
        </ul>
      )}
    </Confirmation>
  )
}
