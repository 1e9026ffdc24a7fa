import type { ComponentChildren } from 'preact'
import { useLayoutEffect, useRef } from 'preact/hooks'

interface FormProps {
  readonly onSubmit: () => unknown
  /** Whether what was written is on its way. It cannot be changed then. */
  readonly isBusy?: boolean
  readonly children: ComponentChildren
}

/** A form that is sent by Enter or its button, to a function and to no address. */
export function Form({ onSubmit, isBusy = false, children }: FormProps) {
  const focused = useRef<Element | null>(null)
  // A control that is disabled loses the focus; it comes back when the form can be used again.
  useLayoutEffect(() => {
    if (isBusy || document.activeElement !== document.body) return
    if (focused.current instanceof HTMLElement) focused.current.focus()
  }, [isBusy])
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault()
        focused.current = document.activeElement
        void onSubmit()
      }}
    >
      <fieldset class="whole" disabled={isBusy}>
        {children}
      </fieldset>
    </form>
  )
}
