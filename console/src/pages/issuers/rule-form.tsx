import type { Refusal } from '../../api/refusal.ts'
import { TextField } from '../../components/field.tsx'
import { NEW_RULE, type RuleDraft } from './draft.ts'

type Violations = Refusal['violations']

interface RuleListProps {
  readonly rules: readonly RuleDraft[]
  /** What is wrong with them, where no single field is. */
  readonly problem: string | undefined
  /** What the server says of the whole issuer. */
  readonly violations: Violations
  readonly onChange: (rules: readonly RuleDraft[]) => void
}

/** The rules of an issuer, in the order in which they are tried. */
export function RuleList({ rules, problem, violations, onChange }: RuleListProps) {
  return (
    <section aria-labelledby="rules">
      <h2 id="rules">Rules</h2>
      <p class="quiet">
        A rule says for which client an assertion stands as a grant; the first that applies counts. Without rules the
        issuer only authenticates clients, by their federated identities.
      </p>
      {rules.map((rule, at) => (
        <RuleForm
          // A rule has no name but its place.
          key={at}
          place={at}
          rule={rule}
          violations={violations}
          onChange={(changed) => onChange(rules.with(at, changed))}
          onRemove={() => onChange(rules.toSpliced(at, 1))}
          onMoveUp={() => onChange(rules.toSpliced(at, 1).toSpliced(at - 1, 0, rule))}
        />
      ))}
      {problem !== undefined && rules.length === 0 && <p class="problem">{problem}</p>}
      <div class="actions">
        <button type="button" onClick={() => onChange([...rules, NEW_RULE])}>
          Add a rule
        </button>
      </div>
    </section>
  )
}

interface RuleFormProps {
  /** From 0. */
  readonly place: number
  readonly rule: RuleDraft
  readonly violations: Violations
  readonly onChange: (rule: RuleDraft) => void
  readonly onRemove: () => void
  readonly onMoveUp: () => void
}

const AS_CLAIMS = 'An object of JSON: each claim’s name or JSON pointer, and its text, or the beginning of it and *.'
const AS_TOKEN_CLAIMS = 'An object of JSON: each claim’s name, and a CEL expression for its value.'

function RuleForm({ place, rule, violations, onChange, onRemove, onMoveUp }: RuleFormProps) {
  const problems = problemsOfRule(violations, place)
  const text = (key: keyof RuleDraft, path: string) => ({
    value: rule[key],
    problem: problems.get(path),
    onInput: (value: string) => onChange({ ...rule, [key]: value }),
  })
  const whole = problems.get('')
  return (
    <fieldset class="card">
      <legend>Rule {place + 1}</legend>
      {whole !== undefined && (
        <p class="problem" role="status">
          {whole}
        </p>
      )}
      <TextField label="For the client" {...text('clientId', 'client_id')} hint="Its client id." />
      <div class="columns">
        <TextField label="Claims that must hold" rows={3} {...text('claims', 'claims')} hint={AS_CLAIMS} />
        <TextField
          label="Condition"
          rows={3}
          {...text('condition', 'condition')}
          hint="A CEL expression over claims that must be true."
        />
      </div>
      <div class="columns">
        <TextField label="Scopes" rows={3} {...text('scopes', 'scopes')} hint="The most that it gives. One per line." />
        <TextField
          label="Expression that chooses scopes"
          rows={3}
          {...text('scopesExpression', 'scopes_expression')}
          hint="A CEL expression over claims. Empty: all of the scopes."
        />
      </div>
      <TextField label="Claims of the token" rows={3} {...text('tokenClaims', 'token_claims')} hint={AS_TOKEN_CLAIMS} />
      <div class="actions">
        {place > 0 && (
          <button type="button" onClick={onMoveUp}>
            Move rule {place + 1} up
          </button>
        )}
        <button type="button" onClick={onRemove}>
          Remove rule {place + 1}
        </button>
      </div>
    </fieldset>
  )
}

const OF_RULE = /^trusted_issuer\.rules\[(\d+)\](?:\.(\w+))?/

/** What is wrong with each field of a rule, by its name in the contract; empty: with the rule itself. */
function problemsOfRule(violations: Violations, place: number): ReadonlyMap<string, string> {
  return new Map(
    violations.flatMap(({ field, description }) => {
      const [, at, name = ''] = OF_RULE.exec(field) ?? []
      return at === String(place) ? [[name, description] as const] : []
    }),
  )
}
