import type { ComponentChildren } from 'preact'
import { useEffect, useId, useRef } from 'preact/hooks'
import { useWork } from '../hooks/use-work.ts'
import { Form } from './form.tsx'
import { RefusalNotice } from './refusal-notice.tsx'

interface DialogProps {
  readonly title: string
  readonly onClose: () => void
  /** Whether Escape leaves it open: something runs, or is shown this once. */
  readonly isLocked?: boolean
  readonly children: ComponentChildren
}

/**
 * A window above the page, which keeps the focus to itself until it is closed: what the browser's own does. Then the
 * focus goes back to what opened it, or to the page if that is gone.
 */
export function Dialog({ title, onClose, isLocked = false, children }: DialogProps) {
  const dialog = useRef<HTMLDialogElement>(null)
  const id = useId()
  useEffect(() => {
    const opener = document.activeElement
    dialog.current?.showModal()
    // While the dialog is in the document, nothing else can have the focus.
    return () => queueMicrotask(() => focusAgain(opener))
  }, [])
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

function focusAgain(opener: Element | null): void {
  if (opener instanceof HTMLElement && opener.isConnected && opener !== document.body) opener.focus()
  else document.querySelector('main')?.focus()
}

interface ConfirmationProps<Answer> {
  readonly title: string
  /** What the button says that does it. */
  readonly action: string
  readonly danger?: boolean
  readonly onClose: () => void
  /** Does it. The dialog says why where it was refused. */
  readonly onConfirm: () => Promise<Answer>
  /** Hears of the answer, unless the page has been left meanwhile. */
  readonly onDone?: (answer: Answer) => void
  readonly children: ComponentChildren
}

/** Asks before something is done. While it is done the dialog stays, so that the answer finds it. */
export function Confirmation<Answer>({ title, action, danger = false, ...props }: ConfirmationProps<Answer>) {
  const { onClose, onConfirm, onDone, children } = props
  const { isBusy, refusal, run } = useWork()
  const confirm = () =>
    run(onConfirm, (answer) => {
      onClose()
      onDone?.(answer)
    })
  return (
    <Dialog title={title} onClose={onClose} isLocked={isBusy}>
      <Form onSubmit={confirm} isBusy={isBusy}>
        {children}
        <RefusalNotice refusal={refusal} isOfChange />
        <div class="actions">
          <button type="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" class={danger ? 'danger' : 'primary'}>
            {isBusy ? 'Working…' : action}
          </button>
        </div>
      </Form>
    </Dialog>
  )
}
