import type { ComponentChildren } from 'preact'
import { useEffect, useId, useRef, useState } from 'preact/hooks'
import { type Refusal, refusalOf } from '../api/refusal.ts'
import { RefusalNotice } from './refusal-notice.tsx'

interface DialogProps {
  readonly title: string
  readonly onClose: () => void
  /** Whether Escape leaves it open: something runs, or is shown this once. */
  readonly isLocked?: boolean
  readonly children: ComponentChildren
}

/** A window above the page, which keeps the focus to itself until it is closed: what the browser's own does. */
export function Dialog({ title, onClose, isLocked = false, children }: DialogProps) {
  const dialog = useRef<HTMLDialogElement>(null)
  const id = useId()
  useEffect(() => dialog.current?.showModal(), [])
  return (
    <dialog
      ref={dialog}
      aria-labelledby={id}
      onCancel={(event) => isLocked && event.preventDefault()}
      // Browsers close it upon a second Escape, whatever became of the first.
      onClose={() => (isLocked ? dialog.current?.showModal() : onClose())}
    >
      <h2 id={id}>{title}</h2>
      {children}
    </dialog>
  )
}

interface ConfirmationProps {
  readonly title: string
  /** What the button says that does it. */
  readonly action: string
  readonly danger?: boolean
  readonly onClose: () => void
  /** Does it. The dialog says why where it was refused. */
  readonly onConfirm: () => Promise<void>
  readonly children: ComponentChildren
}

/** Asks before something is done. While it is done the dialog stays, so that the answer finds it. */
export function Confirmation({ title, action, danger = false, ...props }: ConfirmationProps) {
  const { onClose, onConfirm, children } = props
  const [isBusy, setBusy] = useState(false)
  const [refusal, setRefusal] = useState<Refusal | null>(null)
  const confirm = async () => {
    setBusy(true)
    setRefusal(null)
    try {
      await onConfirm()
      onClose()
    } catch (error) {
      setRefusal(refusalOf(error))
      setBusy(false)
    }
  }
  return (
    <Dialog title={title} onClose={onClose} isLocked={isBusy}>
      {children}
      <RefusalNotice refusal={refusal} />
      {refusal?.isLost === true && <p>It may have been done. Check before you try again.</p>}
      <div class="actions">
        <button type="button" disabled={isBusy} onClick={onClose}>
          Cancel
        </button>
        <button type="button" class={danger ? 'danger' : 'primary'} disabled={isBusy} onClick={() => void confirm()}>
          {isBusy ? 'Working…' : action}
        </button>
      </div>
    </Dialog>
  )
}
