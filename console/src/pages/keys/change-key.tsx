import { useState } from 'preact/hooks'
import type { Api } from '../../api/api.ts'
import { Confirmation } from '../../components/dialog.tsx'
import { TextField } from '../../components/field.tsx'
import { useSession } from '../../hooks/session.ts'

export type KeyAction =
  | { readonly kind: 'prepare' }
  | { readonly kind: 'activate' | 'retire' | 'revoke'; readonly keyId: string }

export const ACTION_NAMES: Readonly<Record<KeyAction['kind'], string>> = {
  prepare: 'Prepare a key',
  activate: 'Activate',
  retire: 'Retire',
  revoke: 'Revoke',
}

const CONSEQUENCES: Readonly<Record<KeyAction['kind'], string>> = {
  prepare: 'A new key is created and published in the key set. It signs nothing until it is activated.',
  activate: 'It signs from now on. The key that signs with the same algorithm is retired.',
  retire: 'It will not sign again. Tokens that it signed are valid until they expire.',
  revoke:
    'This server refuses every token that it signed, from the next call on. Verifiers that cache the key set accept such tokens until they fetch it again.',
}

/** Asks before the state of a key changes, which cannot be undone. */
export function ChangeKey({ action, onClose }: { readonly action: KeyAction; readonly onClose: () => void }) {
  const { api } = useSession()
  const [reason, setReason] = useState('')
  const { kind } = action
  return (
    <Confirmation
      title={kind === 'prepare' ? ACTION_NAMES[kind] : `${ACTION_NAMES[kind]}: ${action.keyId}`}
      action={ACTION_NAMES[kind]}
      danger={kind === 'retire' || kind === 'revoke'}
      onClose={onClose}
      onConfirm={() => change(api, action, reason.trim())}
    >
      <p>{CONSEQUENCES[kind]}</p>
      {kind === 'revoke' && (
        <TextField label="Reason, for the audit log" value={reason} onInput={setReason} autocomplete="off" />
      )}
    </Confirmation>
  )
}

function change({ keys }: Api, action: KeyAction, reason: string): Promise<unknown> {
  switch (action.kind) {
    case 'prepare':
      return keys.prepareSigningKey({})
    case 'activate':
      return keys.activateSigningKey({ keyId: action.keyId })
    case 'retire':
      return keys.retireSigningKey({ keyId: action.keyId })
    case 'revoke':
      return keys.revokeSigningKey({ keyId: action.keyId, reason })
  }
}
