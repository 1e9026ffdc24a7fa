import type { FailedResult } from '../results.ts'
import type { EvaluatedCondition } from './condition.ts'

/** One thing that was judged on the way to an answer. */
export interface Check {
  /** A claim, such as `token_is_unexpired`; part of the contract. */
  readonly name: string
  readonly passed: boolean
  /** What was found. */
  readonly detail: string
  /** What mends it; empty where it passed. */
  readonly fix: string
}

/** Why a call would be answered as it would. */
export interface Explanation {
  /** `unknown`: there is nothing to explain, or not for this caller. */
  readonly verdict: 'accepted' | 'refused' | 'unknown'
  /** In the order in which they are judged; the first that does not pass is the last. */
  readonly checks: readonly Check[]
  /** With what the call would be refused; `null`: it would not be. */
  readonly refusal: FailedResult | null
}

/** How a condition is told to callers. */
export interface CheckText<Facts extends object> {
  readonly name: string
  /** What was found; beside it stands what a refusal says itself. */
  readonly detail: (facts: Readonly<Partial<Facts>>, passed: boolean) => string
  readonly fix: string
}

/** By the names of the conditions. */
export type CheckTexts<Facts extends object> = Readonly<Record<string, CheckText<Facts>>>

/** Tells a condition that was evaluated. Throws where it has no text: each that is explained has one. */
export function toCheck<Facts extends object>(
  texts: CheckTexts<Facts>,
  { name, decision }: EvaluatedCondition,
  facts: Readonly<Partial<Facts>>,
): Check {
  const text = texts[keyOf(name)]
  if (text === undefined) throw new Error(`condition ${name} has no text to explain it by`)
  const found = text.detail(facts, decision.ok)
  if (decision.ok) return { name: text.name, passed: true, detail: found, fix: '' }
  const detail = [found, refusalText(decision)].filter((part) => part !== '').join('; ')
  return { name: text.name, passed: false, detail, fix: text.fix }
}

/** The name that a condition has its text by: `grantIsAllowed(refresh_token)` is told like `grantIsAllowed`. */
export function keyOf(name: string): string {
  return name.replace(/\(.*$/, '')
}

/** What a refusal says of itself beside its sentence. */
function refusalText({ details }: FailedResult): string {
  const { violations = [], metadata = {}, quota } = details
  return [
    ...violations.map(({ field, description }) => `${field} ${description}`),
    ...Object.entries(metadata).flatMap(([name, value]) => (REFUSED_VALUES.has(name) ? [`refused: ${value}`] : [])),
    ...(quota === undefined ? [] : [quota.description]),
  ].join('; ')
}

const REFUSED_VALUES: ReadonlySet<string> = new Set(['rejected_scopes', 'rejected_audiences'])

/** A list in a sentence. */
export function listed(values: readonly string[] | undefined): string {
  return values === undefined || values.length === 0 ? 'none' : values.join(' ')
}
