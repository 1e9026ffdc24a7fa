import { type CelEnv, type CelMap, type CelResult, type CelValue, celEnv, isCelError, parse, plan } from '@bufbuild/cel'
import { BoundedMap } from '../bounded-map.ts'
import { messageOf } from '../message-of.ts'
import { meteredFunctions } from './functions.ts'
import { Meter } from './meter.ts'
import { ExpressionProblem, InvalidExpression } from './problem.ts'
import { mayBe, nameOf, type Type } from './type.ts'
import { TypeChecker } from './type-checker.ts'

/** In characters, as the contract has it. */
export const LONGEST_EXPRESSION = 2_048
/** The parser takes ever longer for brackets in one another. They count in texts too. */
const DEEPEST_BRACKET = 24
/** Compiled expressions that are kept. */
const KEPT = 1_000

/** What an expression is to give. */
export const RESULTS = Object.freeze({
  condition: 'bool',
  scopes: { list: 'string' },
  claim: 'any',
} as const satisfies Record<string, Type>)
export type ResultKind = keyof typeof RESULTS

/** An expression that may be evaluated. */
export class Expression {
  /** What it gives; an error of the library's where it gives nothing. */
  readonly run: (claims: CelMap) => CelResult
  /** The parts of its syntax tree. */
  readonly parts: number

  constructor(run: (claims: CelMap) => CelResult, parts: number) {
    this.run = run
    this.parts = parts
  }
}

/** Parts that stand outside of a comprehension cost little. */
const PARTS_OF_STEP = 4

/** Evaluates expressions for the claims of one assertion. Their cost is bounded as one. Nothing may be awaited in between. */
export class Evaluation {
  readonly #claims: CelMap
  readonly #meter: Meter

  constructor(claims: CelMap, meter: Meter) {
    this.#claims = claims
    this.#meter = meter
    meter.start()
  }

  /** @throws Error for a claim that is not there, for values that do not go together, and beyond the bound of the cost. */
  valueOf(expression: Expression): CelValue {
    const { stackTraceLimit } = Error
    // The library makes an error for each element that an expression cannot be evaluated for: their traces are most of the cost.
    Error.stackTraceLimit = 0
    try {
      this.#meter.charge(Math.ceil(expression.parts / PARTS_OF_STEP))
      const value = expression.run(this.#claims)
      // An error that `||` overlooks ends the evaluation too.
      this.#meter.charge(0)
      if (isCelError(value)) throw new Error(value.message)
      return value
    } finally {
      Error.stackTraceLimit = stackTraceLimit
    }
  }
}

/** Compiles expressions in CEL (cel-spec) over one variable, `claims`; keeps what it compiled by its text. */
export class ExpressionCompiler {
  readonly #meter = new Meter()
  readonly #environment: CelEnv = celEnv({ funcs: [...meteredFunctions(this.#meter)] })
  readonly #compiled = new BoundedMap<string, Expression | ExpressionProblem>(KEPT)

  /** What is wrong with an expression is an answer: it is found when it is written. */
  compile(text: string, kind: ResultKind): Expression | ExpressionProblem {
    const key = `${kind} ${text}`
    const known = this.#compiled.get(key)
    if (known !== undefined) return known
    const compiled = this.#compile(text, RESULTS[kind])
    this.#compiled.set(key, compiled)
    return compiled
  }

  /** Begins to evaluate expressions of this compiler; one that was begun before is over. */
  evaluation(claims: CelMap): Evaluation {
    return new Evaluation(claims, this.#meter)
  }

  #compile(text: string, wanted: Type): Expression | ExpressionProblem {
    if (text.length > LONGEST_EXPRESSION) {
      return new ExpressionProblem(`has more than ${LONGEST_EXPRESSION} characters`, text, null)
    }
    const tooDeep = bracketBeyond(text, DEEPEST_BRACKET)
    if (tooDeep !== null) {
      return new ExpressionProblem(`has more than ${DEEPEST_BRACKET} brackets in one another`, text, tooDeep)
    }
    let parsed: ReturnType<typeof parse>
    try {
      parsed = parse(text)
    } catch (error) {
      return new ExpressionProblem(`is no CEL: ${firstLine(error)}`, text, offsetOf(error))
    }
    try {
      const checker = new TypeChecker()
      const type = checker.check(parsed.expr)
      if (!mayBe(type, wanted)) {
        throw new InvalidExpression(`must give ${nameOf(wanted)}, and gives ${nameOf(type)}`)
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

/** Where a bracket opens in more than `most` others; `null`: nowhere. */
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
