import type { ComponentChildren } from 'preact'
import { useRef } from 'preact/hooks'
import type { Refusal } from '../api/refusal.ts'
import { useLeaveWarning } from '../hooks/use-leave-warning.ts'
import { useVerdict } from '../hooks/use-verdict.ts'
import { useWork } from '../hooks/use-work.ts'
import { Form } from './form.tsx'
import { RefusalNotice } from './refusal-notice.tsx'

interface CreationFormProps<Draft, Verdict, Answer> {
  readonly draft: Draft
  /** Asks whether the server accepts the draft, which writes nothing. */
  readonly validate: (draft: Draft, signal: AbortSignal) => Promise<Verdict>
  readonly create: () => Promise<Answer>
  /** Hears of what was created, unless the page has been left meanwhile. */
  readonly onCreated: (answer: Answer) => void
  /** What the button says, and while it is done. */
  readonly action: string
  readonly busy: string
  /** What is said of a draft that the server accepts. */
  readonly accepted: (verdict: Verdict) => ComponentChildren
  /** The fields, with what the server says of them. */
  readonly children: (refusal: Refusal | null) => ComponentChildren
}

/** A form for something new. The server judges the draft while it is written, from the first change on. */
export function CreationForm<Draft, Verdict, Answer>(props: CreationFormProps<Draft, Verdict, Answer>) {
  const { draft, validate, create, onCreated, action, busy, accepted, children } = props
  const { isBusy, refusal, run } = useWork()
  const untouched = useRef(draft)
  const check = useVerdict(
    draft,
    async (written, signal) => (written === untouched.current ? null : { verdict: await validate(written, signal) }),
    [],
  )
  useLeaveWarning(draft !== untouched.current)
  const isPermitted = check.refusal === null || check.refusal.missingPermissions.length === 0
  return (
    <Form onSubmit={() => run(create, onCreated)} isBusy={isBusy}>
      {children(check.refusal)}
      <p role="status">
        {check.isLoading && draft !== untouched.current && 'Checking…'}
        {!check.isLoading && check.refusal === null && check.value !== null && accepted(check.value.verdict)}
        {check.refusal !== null && isPermitted && <span class="problem">{check.refusal.message}</span>}
      </p>
      <RefusalNotice refusal={refusal ?? (isPermitted ? null : check.refusal)} isOfChange={refusal !== null} />
      <button type="submit" class="primary">
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
