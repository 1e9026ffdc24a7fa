import type { NewSecret } from '../hooks/session.ts'
import { Dialog } from './dialog.tsx'
import { Secret } from './secret.tsx'

interface NewSecretDialogProps {
  readonly secret: NewSecret
  /** Why the session has ended meanwhile; `null`: it goes on. */
  readonly notice: string | null
  readonly onClose: () => void
}

/** Shows a new secret above whatever else is shown, until somebody says that it is stored. */
export function NewSecretDialog({ secret: { clientId, value }, notice, onClose }: NewSecretDialogProps) {
  return (
    <Dialog title={`The new secret of ${clientId}`} onClose={onClose} isLocked>
      <div role="status">
        {notice !== null && <p class="notice warning">{notice} The secret stays here until you close this dialog.</p>}
      </div>
      <Secret value={value} />
      <div class="actions">
        <button type="button" onClick={onClose}>
          I have stored it
        </button>
      </div>
    </Dialog>
  )
}
