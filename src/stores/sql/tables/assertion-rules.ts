import { type AssertionRule, type ClaimPattern, claimPattern, patternText } from '../../../domain/trusted-issuer.ts'
import { isObject } from '../../../json-object.ts'
import { json, unreadable } from '../core/rows.ts'

/** Rules as stored in a column. Claims are pairs, to keep their order and to allow names that are special in JavaScript. */
export function rulesText(rules: readonly AssertionRule[]): string {
  return JSON.stringify(
    rules.map((rule) => ({
      claims: rule.claims.map((pattern) => [pattern.name, patternText(pattern)]),
      condition: rule.condition,
      client_id: rule.clientId,
      scopes: rule.scopes,
      scopes_expression: rule.scopesExpression,
      token_claims: Object.entries(rule.tokenClaims),
    })),
  )
}

/** Parses the text of `rulesText`. */
export function rulesOf(text: string, column: string): readonly AssertionRule[] {
  const rules = json(text, column)
  if (!Array.isArray(rules)) throw unreadable(column)
  return Object.freeze(rules.map((rule: unknown) => ruleOf(rule, column)))
}

function ruleOf(rule: unknown, column: string): AssertionRule {
  if (!isObject(rule)) throw unreadable(column)
  const { condition, client_id: clientId, scopes, scopes_expression: scopesExpression } = rule
  if (typeof clientId !== 'string' || !isTextOrNull(condition) || !isTextOrNull(scopesExpression) || !isTexts(scopes)) {
    throw unreadable(column)
  }
  return Object.freeze({
    claims: Object.freeze(pairsOf(rule['claims'], column).map((pair) => patternOf(pair, column))),
    condition,
    clientId,
    scopes: Object.freeze(scopes),
    scopesExpression,
    tokenClaims: Object.freeze(Object.fromEntries(pairsOf(rule['token_claims'], column))),
  })
}

type Pair = readonly [name: string, text: string]

function patternOf([name, text]: Pair, column: string): ClaimPattern {
  const pattern = claimPattern(name, text)
  if (pattern === null) throw unreadable(column)
  return pattern
}

function pairsOf(list: unknown, column: string): readonly Pair[] {
  if (!Array.isArray(list) || !list.every(isPair)) throw unreadable(column)
  return list
}

function isPair(value: unknown): value is Pair {
  return isTexts(value) && value.length === 2
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((text) => typeof text === 'string')
}

function isTextOrNull(value: unknown): value is string | null {
  return value === null || typeof value === 'string'
}
