import type { ComponentChildren } from 'preact'
import { useId } from 'preact/hooks'

interface Labelled {
  readonly label: string
  readonly hint?: string | undefined
  /** What is wrong with the value; `undefined`: nothing. */
  readonly problem?: string | undefined
}

interface TextFieldProps extends Labelled {
  readonly value: string
  readonly onInput: (value: string) => void
  readonly type?: 'text' | 'password' | 'search' | 'number' | 'datetime-local'
  /** Several lines: one value on each. */
  readonly rows?: number
  readonly disabled?: boolean
  readonly required?: boolean
  readonly autocomplete?: string
}

export function TextField({ label, hint, problem, value, onInput, type = 'text', rows, ...others }: TextFieldProps) {
  const id = useId()
  const attributes = {
    ...others,
    id,
    value,
    spellcheck: false,
    'aria-invalid': problem !== undefined,
    'aria-describedby': `${id}-about`,
  }
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {rows === undefined ? (
        // Preact ties the roles that an element may have to each single type; none is given here.
        <input {...attributes} type={type as 'text'} onInput={(event) => onInput(event.currentTarget.value)} />
      ) : (
        <textarea {...attributes} rows={rows} onInput={(event) => onInput(event.currentTarget.value)} />
      )}
      <About id={`${id}-about`} hint={hint} problem={problem} />
    </div>
  )
}

/** A secret that somebody has to enter. The browser neither fills it in nor offers to keep it. */
export function SecretField(props: Pick<TextFieldProps, 'label' | 'hint' | 'value' | 'onInput'>) {
  return <TextField {...props} type="password" required autocomplete="new-password" />
}

interface SelectFieldProps extends Labelled {
  readonly value: string
  readonly onChange: (value: string) => void
  readonly options: readonly (readonly [value: string, label: string])[]
  readonly disabled?: boolean
}

export function SelectField({ label, hint, problem, value, onChange, options, disabled = false }: SelectFieldProps) {
  const id = useId()
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <select
        id={id}
        value={value}
        disabled={disabled}
        aria-invalid={problem !== undefined}
        aria-describedby={`${id}-about`}
        onChange={(event) => onChange(event.currentTarget.value)}
      >
        {options.map(([option, text]) => (
          <option key={option} value={option}>
            {text}
          </option>
        ))}
      </select>
      <About id={`${id}-about`} hint={hint} problem={problem} />
    </div>
  )
}

interface FileFieldProps {
  readonly label: string
  /** `null`: no file is chosen. */
  readonly onChange: (file: File | null) => void
  readonly disabled?: boolean
}

export function FileField({ label, onChange, disabled = false }: FileFieldProps) {
  const id = useId()
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <input
        id={id}
        type="file"
        disabled={disabled}
        onChange={(event) => onChange(event.currentTarget.files?.[0] ?? null)}
      />
    </div>
  )
}

interface ChoicesProps extends Labelled {
  readonly chosen: ReadonlySet<string>
  readonly onChange: (chosen: ReadonlySet<string>) => void
  readonly options: readonly (readonly [value: string, label: string])[]
}

/** Any number of a few. */
export function Choices({ label, hint, problem, chosen, onChange, options }: ChoicesProps) {
  const id = useId()
  const toggle = (value: string) =>
    onChange(new Set(chosen.has(value) ? [...chosen].filter((each) => each !== value) : [...chosen, value]))
  return (
    <fieldset class="field" aria-describedby={`${id}-about`}>
      <legend>{label}</legend>
      <div class="choices">
        {options.map(([value, text]) => (
          <label key={value}>
            <input type="checkbox" checked={chosen.has(value)} onChange={() => toggle(value)} /> {text}
          </label>
        ))}
      </div>
      <About id={`${id}-about`} hint={hint} problem={problem} />
    </fieldset>
  )
}

function About({ id, hint, problem }: { readonly id: string } & Omit<Labelled, 'label'>): ComponentChildren {
  return (
    <div id={id} class="about" aria-live="polite">
      {hint !== undefined && <span class="quiet">{hint}</span>}
      {problem !== undefined && <span class="problem">{problem}</span>}
    </div>
  )
}
