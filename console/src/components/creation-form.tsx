import type { ComponentChildren } from 'preact'
import { useRef, useState } from 'preact/hooks'
import { type Refusal, refusalOf } from '../api/refusal.ts'
import { useDebounced } from '../hooks/use-debounced.ts'
import { useQuery } from '../hooks/use-query.ts'
import { Form } from './form.tsx'
import { RefusalNotice } from './refusal-notice.tsx'

interface CreationFormProps<Draft, Answer> {
  readonly draft: Draft
  /** Asks whether the server accepts the draft, which writes nothing. */
  readonly validate: (draft: Draft, signal: AbortSignal) => Promise<Answer>
  readonly create: () => Promise<void>
  /** What the button says, and while it is done. */
  readonly action: string
  readonly busy: string
  /** What is said of a draft that the server accepts. */
  readonly accepted: (answer: Answer) => ComponentChildren
  /** The fields, with what the server says of them. */
  readonly children: (refusal: Refusal | null) => ComponentChildren
}

/** A form for something new. The server judges the draft while it is written, from the first change on. */
export function CreationForm<Draft, Answer>({ draft, validate, create, ...props }: CreationFormProps<Draft, Answer>) {
  const { action, busy, accepted, children } = props
  const [refusal, setRefusal] = useState<Refusal | null>(null)
  const [isBusy, setBusy] = useState(false)
  const untouched = useRef(draft)
  const settled = useDebounced(draft)
  const check = useQuery(
    async (signal) => (settled === untouched.current ? null : { answer: await validate(settled, signal) }),
    [settled],
  )
  const submit = async () => {
    setBusy(true)
    setRefusal(null)
    try {
      await create()
    } catch (error) {
      setRefusal(refusalOf(error))
    }
    setBusy(false)
  }
  return (
    <Form onSubmit={submit}>
      {children(check.refusal)}
      <p role="status">
        {check.isLoading && settled !== untouched.current && 'Checking…'}
        {!check.isLoading && check.refusal === null && check.value !== null && accepted(check.value.answer)}
        {!check.isLoading && check.refusal !== null && <span class="problem">{check.refusal.message}</span>}
      </p>
      <RefusalNotice refusal={refusal} />
      <button type="submit" class="primary" disabled={isBusy}>
        {isBusy ? busy : action}
      </button>
    </Form>
  )
}

interface CreatedProps {
  readonly name: string
  /** What was done to it, such as `registered`. */
  readonly done: string
  readonly href: string
  /** What the link says. */
  readonly children: string
}

/** Says that something new is there, and leads to it. */
export function Created({ name, done, href, children }: CreatedProps) {
  return (
    <section aria-label="Done">
      <p role="status">
        <code>{name}</code> is {done}.
      </p>
      <p>
        <a href={href}>{children}</a>
      </p>
    </section>
  )
}
