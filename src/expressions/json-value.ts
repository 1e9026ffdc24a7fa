import { type CelMap, type CelValue, celList, celMap, isCelList, isCelMap } from '@bufbuild/cel'
import type { JsonValue } from '../json-object.ts'

/** The maximum nesting depth of claims. Deeper claims are not evaluated. */
const DEEPEST_CLAIM = 32
/** The maximum nesting depth of an expression's result. Every protobuf library can parse this depth. */
const DEEPEST_VALUE = 16

/** Converts the claims of an assertion to CEL values. @throws Error if they are nested too deep. */
export function celClaims(claims: Readonly<Record<string, unknown>>): CelMap {
  return celMap(mapOf(claims, 1))
}

function celValue(value: unknown, depth: number): CelValue {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' || value === null)
    return value
  if (typeof value !== 'object') throw new Error('claims must be JSON')
  if (depth > DEEPEST_CLAIM) throw new Error(`claims are nested more than ${DEEPEST_CLAIM} deep`)
  return Array.isArray(value)
    ? celList(value.map((element) => celValue(element, depth + 1)))
    : celMap(mapOf(value as Readonly<Record<string, unknown>>, depth + 1))
}

function mapOf(object: Readonly<Record<string, unknown>>, depth: number): Map<string, CelValue> {
  return new Map(Object.entries(object).map(([name, value]) => [name, celValue(value, depth)]))
}

/**
 * Converts the result of an expression to JSON. @throws Error for values that JSON cannot represent, and for results
 * that are too large.
 */
export function jsonValue(value: CelValue, longest: number): JsonValue {
  return new JsonWriter(longest).valueOf(value, 1)
}

class JsonWriter {
  /** A lower bound of the JSON characters that are still allowed. */
  #left: number

  constructor(longest: number) {
    this.#left = longest
  }

  valueOf(value: CelValue, depth: number): JsonValue {
    switch (typeof value) {
      case 'string':
        return this.#text(value)
      case 'boolean':
        this.#take(4)
        return value
      case 'bigint':
        return this.#number(Number(value), Number.isSafeInteger(Number(value)))
      case 'number':
        return this.#number(value, Number.isFinite(value))
      default:
        break
    }
    if (value === null) {
      this.#take(4)
      return null
    }
    if (depth > DEEPEST_VALUE) throw new Error(`returns lists and maps that are nested more than ${DEEPEST_VALUE} deep`)
    this.#take(2)
    if (isCelList(value)) return Array.from(value, (element) => this.#after(() => this.valueOf(element, depth + 1)))
    if (isCelMap(value)) {
      return Object.fromEntries(
        Array.from(value, ([name, element]) => {
          if (typeof name !== 'string') throw new Error('returns a map with a key that is not a string')
          return [this.#text(name), this.#after(() => this.valueOf(element, depth + 1))]
        }),
      )
    }
    throw new Error('returns a value that JSON cannot represent')
  }

  #after(value: () => JsonValue): JsonValue {
    this.#take(1)
    return value()
  }

  #text(text: string): string {
    this.#take(text.length + 2)
    if (!text.isWellFormed()) throw new Error('returns a string with half of a surrogate pair')
    return text
  }

  #number(value: number, isExact: boolean): number {
    if (!isExact) throw new Error('returns a number that JSON cannot represent exactly')
    this.#take(1)
    // JSON has no negative zero.
    return value === 0 ? 0 : value
  }

  #take(characters: number): void {
    this.#left -= characters
    if (this.#left < 0) throw new Error('returns too much')
  }
}
