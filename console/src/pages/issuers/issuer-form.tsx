import { TrustedIssuerKind } from '../../../../src/gen/qscope/v1/trust_service_pb.ts'
import type { Refusal } from '../../api/refusal.ts'
import { problemsOf } from '../../components/changes.ts'
import { SelectField, TextField } from '../../components/field.tsx'
import { optionsOf } from '../../components/options.ts'
import { ISSUER_FIELDS, type IssuerDraft, type KeysDraft } from './draft.ts'
import { ISSUER_KINDS, KEY_SOURCES, REUSE } from './labels.ts'
import { RuleList } from './rule-form.tsx'

interface IssuerFormProps {
  readonly draft: IssuerDraft
  readonly onChange: (draft: IssuerDraft) => void
  /** Whether the issuer exists, so that its name and kind stay as they are. */
  readonly isCreated: boolean
  /** What the server says of the draft. */
  readonly refusal: Refusal | null
}

/** The fields of a trusted issuer. What the server finds wrong stands beside the field. */
export function IssuerForm({ draft, onChange, isCreated, refusal }: IssuerFormProps) {
  const problems = problemsOf(ISSUER_FIELDS, refusal)
  const text = (key: TextKey) => ({
    value: draft[key],
    problem: problems.get(key),
    onInput: (value: string) => onChange({ ...draft, [key]: value }),
  })
  const isSpiffe = Number(draft.kind) === TrustedIssuerKind.SPIFFE
  return (
    <>
      {!isCreated && (
        <div class="columns">
          <SelectField
            label="Kind"
            value={draft.kind}
            problem={problems.get('kind')}
            onChange={(kind) => onChange({ ...draft, kind, keys: keysFor(kind, draft.keys) })}
            options={optionsOf(ISSUER_KINDS)}
          />
          {isSpiffe ? (
            <TextField
              label="Trust domain"
              {...text('trustDomain')}
              // The issuer is named by it.
              problem={problems.get('trustDomain') ?? problems.get('issuer')}
              hint="Such as prod.example."
            />
          ) : (
            <TextField label="Issuer" {...text('issuer')} hint="The exact iss of its assertions." />
          )}
        </div>
      )}
      <TextField label="Name" {...text('displayName')} hint="Empty: the issuer." />
      <KeyFields
        keys={draft.keys}
        problem={problems.get('keys')}
        isSpiffe={isSpiffe}
        onChange={(keys) => onChange({ ...draft, keys })}
      />
      {draft.keys.source !== 'jwks' && (
        <TextField
          label="CA certificates"
          rows={3}
          {...text('caCertificates')}
          hint="PEM, for the host of the keys. Empty: those that the server’s machine trusts."
        />
      )}
      <div class="columns">
        <TextField label="Audience" {...text('audience')} hint="Of grants. Empty: this server’s issuer." />
        <SelectField
          label="An assertion is accepted"
          value={draft.singleUse}
          problem={problems.get('singleUse')}
          onChange={(singleUse) => onChange({ ...draft, singleUse: singleUse === 'true' ? 'true' : 'false' })}
          options={Object.entries(REUSE)}
          hint="As a grant. Once: it needs a jti."
        />
        <TextField
          label="Longest lifetime (seconds)"
          type="number"
          {...text('maxLifetime')}
          hint="Of a grant. Empty: 1 hour."
        />
      </div>
      <RuleList
        rules={draft.rules}
        problem={problems.get('rules')}
        violations={refusal?.violations ?? []}
        onChange={(rules) => onChange({ ...draft, rules })}
      />
    </>
  )
}

interface KeyFieldsProps {
  readonly keys: KeysDraft
  readonly problem: string | undefined
  readonly isSpiffe: boolean
  readonly onChange: (keys: KeysDraft) => void
}

function KeyFields({ keys, problem, isSpiffe, onChange }: KeyFieldsProps) {
  const sources = Object.entries(KEY_SOURCES).filter(([source]) => !isSpiffe || source !== 'discovery')
  return (
    <>
      <SelectField
        label="Keys come from"
        value={keys.source}
        problem={keys.source === 'discovery' ? problem : undefined}
        onChange={(source) => onChange({ ...keys, source: source as KeysDraft['source'] })}
        options={sources}
      />
      {keys.source === 'jwks' && (
        <TextField
          label={isSpiffe ? 'SPIFFE bundle' : 'Public keys (JSON Web Key Set)'}
          rows={5}
          value={keys.jwks}
          problem={problem}
          onInput={(jwks) => onChange({ ...keys, jwks })}
        />
      )}
      {keys.source === 'jwksUri' && (
        <TextField
          label={isSpiffe ? 'URL of the SPIFFE bundle' : 'URL of public keys'}
          value={keys.jwksUri}
          problem={problem}
          onInput={(jwksUri) => onChange({ ...keys, jwksUri })}
          hint="An https URL."
        />
      )}
    </>
  )
}

/** A trust domain has no metadata that names its keys. */
function keysFor(kind: string, keys: KeysDraft): KeysDraft {
  const isSpiffe = Number(kind) === TrustedIssuerKind.SPIFFE
  return isSpiffe && keys.source === 'discovery' ? { ...keys, source: 'jwksUri' } : keys
}

type TextKey = Exclude<
  { [Key in keyof IssuerDraft]: IssuerDraft[Key] extends string ? Key : never }[keyof IssuerDraft],
  'singleUse'
>
