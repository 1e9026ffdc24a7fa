import { type CelEnv, type CelMap, type CelResult, type CelValue, celEnv, isCelError, parse, plan } from '@bufbuild/cel'
import { BoundedMap } from '../bounded-map.ts'
import { messageOf } from '../message-of.ts'
import { meteredFunctions } from './functions.ts'
import { Meter } from './meter.ts'
import { ExpressionProblem, InvalidExpression } from './problem.ts'
import { mayBe, nameOf, type Type } from './type.ts'
import { TypeChecker } from './type-checker.ts'

/** The maximum length in characters, as the contract states it. */
export const LONGEST_EXPRESSION = 2_048
/** The parser's time grows faster than the depth of nested brackets. Brackets in string literals count too. */
const DEEPEST_BRACKET = 24
/** The maximum number of compiled expressions in the cache. */
const KEPT = 1_000

/** The types of results that an expression can have. */
export const RESULTS = Object.freeze({
  condition: 'bool',
  scopes: { list: 'string' },
  claim: 'any',
} as const satisfies Record<string, Type>)
export type ResultKind = keyof typeof RESULTS

/** A compiled expression. */
export class Expression {
  /** Evaluates the expression. Returns an error of the library if it fails. */
  readonly run: (claims: CelMap) => CelResult
  /** The number of nodes in its syntax tree. */
  readonly parts: number

  constructor(run: (claims: CelMap) => CelResult, parts: number) {
    this.run = run
    this.parts = parts
  }
}

/** Nodes outside of a comprehension cost little. */
const PARTS_OF_STEP = 4

/**
 * Evaluates expressions over the claims of one assertion. One cost limit applies to all of them together. Evaluation
 * must be synchronous throughout.
 */
export class Evaluation {
  readonly #claims: CelMap
  readonly #meter: Meter

  constructor(claims: CelMap, meter: Meter) {
    this.#claims = claims
    this.#meter = meter
    meter.start()
  }

  /** @throws Error for a missing claim, for incompatible values, and beyond the cost limit. */
  valueOf(expression: Expression): CelValue {
    const { stackTraceLimit } = Error
    // The library creates an error for each element for which an expression fails. Their stack traces are most of the
    // cost.
    Error.stackTraceLimit = 0
    try {
      this.#meter.charge(Math.ceil(expression.parts / PARTS_OF_STEP))
      const value = expression.run(this.#claims)
      // An error that `||` ignores must end the evaluation too.
      this.#meter.charge(0)
      if (isCelError(value)) throw new Error(value.message)
      return value
    } finally {
      Error.stackTraceLimit = stackTraceLimit
    }
  }
}

/** Compiles CEL expressions (cel-spec) over one variable, `claims`. It caches compiled expressions by their text. */
export class ExpressionCompiler {
  readonly #meter = new Meter()
  readonly #environment: CelEnv = celEnv({ funcs: [...meteredFunctions(this.#meter)] })
  readonly #compiled = new BoundedMap<string, Expression | ExpressionProblem>(KEPT)

  /** Returns a problem instead of throwing, because an expression is validated when it is written. */
  compile(text: string, kind: ResultKind): Expression | ExpressionProblem {
    const key = `${kind} ${text}`
    const known = this.#compiled.get(key)
    if (known !== undefined) return known
    const compiled = this.#compile(text, RESULTS[kind])
    this.#compiled.set(key, compiled)
    return compiled
  }

  /** Starts an evaluation with the expressions of this compiler. It ends the previous evaluation. */
  evaluation(claims: CelMap): Evaluation {
    return new Evaluation(claims, this.#meter)
  }

  #compile(text: string, wanted: Type): Expression | ExpressionProblem {
    if (text.length > LONGEST_EXPRESSION) {
      return new ExpressionProblem(`has more than ${LONGEST_EXPRESSION} characters`, text, null)
    }
    const tooDeep = bracketBeyond(text, DEEPEST_BRACKET)
    if (tooDeep !== null) {
      return new ExpressionProblem(`has more than ${DEEPEST_BRACKET} nested brackets`, text, tooDeep)
    }
    let parsed: ReturnType<typeof parse>
    try {
      parsed = parse(text)
    } catch (error) {
      return new ExpressionProblem(`is not valid CEL: ${firstLine(error)}`, text, offsetOf(error))
    }
    try {
      const checker = new TypeChecker()
      const type = checker.check(parsed.expr)
      if (!mayBe(type, wanted)) {
        throw new InvalidExpression(`must return ${nameOf(wanted)}, but returns ${nameOf(type)}`)
      }
      const evaluate = plan(this.#environment, parsed.expr)
      return new Expression((claims) => evaluate({ claims }), checker.parts)
    } catch (error) {
      const id = error instanceof InvalidExpression ? error.id : null
      const offset = id === null ? null : (parsed.sourceInfo?.positions[String(id)] ?? null)
      return new ExpressionProblem(messageOf(error), text, offset)
    }
  }
}

/** The offset of a bracket that is nested in more than `most` others. `null`: there is none. */
function bracketBeyond(text: string, most: number): number | null {
  let depth = 0
  for (let at = 0; at < text.length; at += 1) {
    const character = text.charAt(at)
    if ('([{'.includes(character)) depth += 1
    else if (')]}'.includes(character)) depth -= 1
    if (depth > most) return at
  }
  return null
}

/** `<input>:1:10: found = but …`. */
function firstLine(error: unknown): string {
  return messageOf(error).replace(/^<input>:\d+:\d+: /, '')
}

function offsetOf(error: unknown): number | null {
  if (typeof error !== 'object' || error === null || !('location' in error)) return null
  const { location } = error as { readonly location?: { readonly start?: { readonly offset?: unknown } } }
  const offset = location?.start?.offset
  return typeof offset === 'number' ? offset : null
}
