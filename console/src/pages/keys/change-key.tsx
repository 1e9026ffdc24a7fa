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
  activate: 'Let it sign',
  retire: 'Retire it',
  revoke: 'Revoke it',
}

const CONSEQUENCES: Readonly<Record<KeyAction['kind'], string>> = {
  prepare: 'A key is drawn and put into the key set. It signs nothing until it is let.',
  activate: 'It signs from now on, and the key that signs with its algorithm retires.',
  retire: 'It signs no more, for good. What it signed stays good until it expires.',
  revoke:
    'Every token that it signed ends with the next call to this server. Verifiers that keep the key set accept them until they ask for it again.',
}

/** Asks before a key goes on in its life: there is no way back. */
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
      onConfirm={async () => void (await change(api, action, reason))}
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
