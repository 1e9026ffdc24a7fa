import { type CelValue, isCelList } from '@bufbuild/cel'
import type { RegistrationProblem } from '../domain/registration.ts'
import { claimNameProblem, LONGEST_EXTRA_CLAIMS } from '../domain/reserved-claims.ts'
import { type AssertionRule, matchesClaims } from '../domain/trusted-issuer.ts'
import type { JsonObject, JsonValue } from '../json-object.ts'
import { messageOf } from '../message-of.ts'
import { Expression, type ExpressionCompiler, type ResultKind } from './expression.ts'
import { celClaims, jsonValue } from './json-value.ts'

type RuleExpressions = Pick<AssertionRule, 'condition' | 'scopesExpression' | 'tokenClaims'>
type Claims = Readonly<Record<string, unknown>>

/**
 * The result of an issuer's rules for an assertion. `problem`: the reason why an expression could not be evaluated. It
 * is for those who may see the assertion, not for its bearer. In this case the assertion is refused, even if a later
 * rule would apply.
 */
export type RuleOutcome =
  | {
      readonly ok: true
      /** The rule that applies, with the scopes that its expression chose. `null`: no rule applies. */
      readonly rule: AssertionRule | null
      /** Claims for the token. `null`: none. */
      readonly extra: Readonly<JsonObject> | null
    }
  | { readonly ok: false; readonly problem: string }

/** Evaluates the expressions of rules. Call it only with claims whose signature was verified. */
export class RuleEvaluator {
  readonly #compiler: ExpressionCompiler

  constructor(compiler: ExpressionCompiler) {
    this.#compiler = compiler
  }

  /** All problems of a rule's expressions, by field. */
  problemsOf({ condition, scopesExpression, tokenClaims }: RuleExpressions): readonly RegistrationProblem[] {
    return [
      ...this.#problems('condition', condition, 'condition'),
      ...this.#problems('scopes_expression', scopesExpression, 'scopes'),
      ...Object.entries(tokenClaims).flatMap(([name, text]) => {
        const field = `token_claims[${JSON.stringify(name)}]`
        const description = claimNameProblem(name)
        return [...(description === null ? [] : [{ field, description }]), ...this.#problems(field, text, 'claim')]
      }),
    ]
  }

  /**
   * Finds the first rule that applies, and evaluates its other expressions. One cost limit applies to all expressions
   * together.
   */
  evaluate(rules: readonly AssertionRule[], claims: Claims): RuleOutcome {
    let at = 'rules'
    try {
      const evaluation = this.#compiler.evaluation(celClaims(claims))
      const run = (field: string, text: string, kind: ResultKind) => {
        at = field
        return evaluation.valueOf(this.#compiled(text, kind))
      }
      for (const [index, rule] of rules.entries()) {
        if (!matchesClaims(rule, claims)) continue
        const place = `rules[${index}]`
        if (rule.condition !== null && !truthOf(run(`${place}.condition`, rule.condition, 'condition'))) continue
        const { scopesExpression } = rule
        const scopes =
          scopesExpression === null
            ? rule.scopes
            : chosenOf(rule.scopes, run(`${place}.scopes_expression`, scopesExpression, 'scopes'))
        const extra = Object.entries(rule.tokenClaims).map(([name, text]) => {
          const value = run(`${place}.token_claims[${JSON.stringify(name)}]`, text, 'claim')
          return [name, jsonValue(value, LONGEST_EXTRA_CLAIMS)] as const
        })
        at = `${place}.token_claims`
        return { ok: true, rule: { ...rule, scopes }, extra: extraOf(extra) }
      }
      return { ok: true, rule: null, extra: null }
    } catch (error) {
      return { ok: false, problem: `${at}: ${messageOf(error)}` }
    }
  }

  #problems(field: string, text: string | null, kind: ResultKind): readonly RegistrationProblem[] {
    if (text === null) return []
    const compiled = this.#compiler.compile(text, kind)
    return compiled instanceof Expression ? [] : [{ field, description: String(compiled) }]
  }

  /** The rule was validated when it was written, by this server or another version of it. */
  #compiled(text: string, kind: ResultKind): Expression {
    const compiled = this.#compiler.compile(text, kind)
    if (compiled instanceof Expression) return compiled
    throw new Error(String(compiled))
  }
}

function truthOf(value: CelValue): boolean {
  if (typeof value !== 'boolean') throw new Error('does not return a bool')
  return value
}

/** An expression selects from the scopes of its rule. Other values in its result are ignored. */
function chosenOf(scopes: readonly string[], value: CelValue): readonly string[] {
  if (!isCelList(value)) throw new Error('does not return a list')
  const chosen: ReadonlySet<unknown> = new Set(value)
  for (const scope of chosen) if (typeof scope !== 'string') throw new Error('returns an item that is not a string')
  return scopes.filter((scope) => chosen.has(scope))
}

function extraOf(entries: readonly (readonly [string, JsonValue])[]): Readonly<JsonObject> | null {
  if (entries.length === 0) return null
  const extra = Object.freeze(Object.fromEntries(entries))
  if (Buffer.byteLength(JSON.stringify(extra)) <= LONGEST_EXTRA_CLAIMS) return extra
  throw new Error(`contain more than ${LONGEST_EXTRA_CLAIMS} bytes of JSON`)
}
