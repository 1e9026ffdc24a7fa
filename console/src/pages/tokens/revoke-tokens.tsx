import { useState } from 'preact/hooks'
import { Confirmation } from '../../components/dialog.tsx'
import { TextField } from '../../components/field.tsx'
import { Uncounted } from '../../components/uncounted.tsx'
import { useSession } from '../../hooks/session.ts'
import { type Holder, useActiveCounts } from '../../hooks/use-active-counts.ts'

/** What is to be revoked. */
export type Target =
  | { readonly kind: 'token'; readonly id: string; readonly isRefresh: boolean }
  | { readonly kind: 'grant' | 'client' | 'user'; readonly id: string }

/** Asks before something is revoked, and says what ends with it. There is no way back. */
export function RevokeTokens({ target, onClose }: { readonly target: Target; readonly onClose: () => void }) {
  const { api } = useSession()
  const [reason, setReason] = useState('')
  const revoke = () => api.tokens.revokeTokens({ target: requestOf(target), reason: reason.trim() })
  return (
    <Confirmation
      title={`Revoke: ${target.kind} ${target.id}`}
      action="Revoke"
      danger
      onClose={onClose}
      onConfirm={revoke}
    >
      <p>From the next call on, at every instance:</p>
      <Consequences target={target} />
      <p>This cannot be undone. Verifiers that check JWTs offline accept them until they expire.</p>
      <TextField label="Reason, for the audit log" value={reason} onInput={setReason} autocomplete="off" />
    </Confirmation>
  )
}

function requestOf({ kind, id: value }: Target) {
  switch (kind) {
    case 'token':
      return { case: 'tokenId', value } as const
    case 'grant':
      return { case: 'grantId', value } as const
    case 'client':
      return { case: 'clientId', value } as const
    case 'user':
      return { case: 'userId', value } as const
  }
}

function Consequences({ target }: { readonly target: Target }) {
  const { session } = useSession()
  switch (target.kind) {
    case 'token':
      return (
        <ul>
          {target.isRefresh ? (
            <li>this refresh token ends, with its grant and all tokens that were issued on it;</li>
          ) : (
            <li>this access token ends;</li>
          )}
          <li>tokens that were exchanged from them end too.</li>
          {target.id === session.tokenId && <OwnSession />}
        </ul>
      )
    case 'grant':
      return (
        <ul>
          <li>the grant ends, with all access and refresh tokens that were issued on it;</li>
          <li>the user has to consent again before the client gets new ones.</li>
        </ul>
      )
    case 'client':
      return (
        <ul>
          <Everything holder={{ clientId: target.id }} of="of this client, for all its users," />
          <li>the client stays enabled, and can get new tokens.</li>
          {target.id === session.clientId && <OwnSession />}
        </ul>
      )
    case 'user':
      return (
        <ul>
          <Everything holder={{ userId: target.id }} of="of this user, at all clients," />
          <li>the user stays active, and can consent again.</li>
        </ul>
      )
  }
}

function Everything({ holder, of }: { readonly holder: Holder; readonly of: string }) {
  const { counts, refusal } = useActiveCounts(holder)
  return (
    <li>
      {counts === null ? 'all tokens and grants' : `${counts.tokens} and ${counts.grants}`} {of} end, and codes that are
      not redeemed yet;
      <Uncounted refusal={refusal} />
    </li>
  )
}

function OwnSession() {
  return (
    <li>
      <strong>your own session ends.</strong>
    </li>
  )
}
