import type { FailedResult } from '../results.ts'
import type { EvaluatedCondition } from './condition.ts'

/** One check that led to an answer. */
export interface Check {
  /** A claim, such as `token_is_unexpired`; part of the contract. */
  readonly name: string
  readonly passed: boolean
  /** The result of the check. */
  readonly detail: string
  /** The remedy. Empty if the check passed. */
  readonly fix: string
}

/** The answer to a call, and the reasons for it. */
export interface Explanation {
  /** `unknown`: nothing can be explained, or not to this caller. */
  readonly verdict: 'accepted' | 'refused' | 'unknown'
  /** In the order of evaluation. The first check that fails is the last one. */
  readonly checks: readonly Check[]
  /** The refusal that the call would get. `null`: it would succeed. */
  readonly refusal: FailedResult | null
}

/** The description of a condition for callers. */
export interface CheckText<Facts extends object> {
  readonly name: string
  /** The result. The texts of a refusal are added to it. */
  readonly detail: (facts: Readonly<Partial<Facts>>, passed: boolean) => string
  /** The remedy, for all refusals or by the facts. */
  readonly fix: string | ((facts: Readonly<Partial<Facts>>) => string)
}

/** By condition name. */
export type CheckTexts<Facts extends object> = Readonly<Record<string, CheckText<Facts>>>

/**
 * Describes an evaluated condition. Throws if the condition has no text, because every explained condition must have
 * one.
 */
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
  const fix = typeof text.fix === 'string' ? text.fix : text.fix(facts)
  return { name: text.name, passed: false, detail, fix }
}

/** The key of a condition's text: `grantIsAllowed(refresh_token)` uses the text of `grantIsAllowed`. */
export function keyOf(name: string): string {
  return name.replace(/\(.*$/, '')
}

/** The details of a refusal, without its sentence. */
function refusalText({ details }: FailedResult): string {
  const { violations = [], metadata = {}, quota } = details
  return [
    ...violations.map(({ field, description }) => `${field} ${description}`),
    ...Object.entries(metadata).flatMap(([name, value]) => (REFUSED_VALUES.has(name) ? [`refused: ${value}`] : [])),
    ...(quota === undefined ? [] : [quota.description]),
  ].join('; ')
}

const REFUSED_VALUES: ReadonlySet<string> = new Set(['rejected_scopes', 'rejected_audiences'])

/** Formats a list for a sentence. */
export function listed(values: readonly string[] | undefined): string {
  return values === undefined || values.length === 0 ? 'none' : values.join(' ')
}
