import type { ComponentChildren } from 'preact'

/** A form that is sent by Enter or its button, to a function and to no address. */
export function Form({
  onSubmit,
  children,
}: {
  readonly onSubmit: () => unknown
  readonly children: ComponentChildren
}) {
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault()
        void onSubmit()
      }}
    >
      {children}
    </form>
  )
}
