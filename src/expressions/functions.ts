import {
  type CelFunc,
  type CelList,
  CelScalar,
  type CelValue,
  celEnv,
  celFunc,
  celList,
  celMethod,
  isCelError,
  isCelList,
  isCelMap,
  listType,
} from '@bufbuild/cel'
import { LONGEST_TEXT, type Meter, MOST_ELEMENTS } from './meter.ts'
import { LIST, MAP, type Type } from './type.ts'

/** An overload of a function. An `any` argument accepts every type. */
export interface Form {
  readonly takes: readonly Type[]
  readonly gives: Type
}

const NUMBERS: readonly Type[] = ['int', 'double']

const form = (takes: readonly Type[], gives: Type): Form => ({ takes, gives })
const COMPARISON = [
  ...NUMBERS.flatMap((left) => NUMBERS.map((right) => form([left, right], 'bool'))),
  form(['string', 'string'], 'bool'),
  form(['bool', 'bool'], 'bool'),
]
const ARITHMETIC = NUMBERS.map((number) => form([number, number], number))
const TEST = [form(['string', 'string'], 'bool')]
const SIZE = [form(['string'], 'int'), form([LIST], 'int'), form([MAP], 'int')]

/**
 * The operators and functions of CEL that an expression may use, by their names in the syntax tree. Regular expressions
 * and times are excluded. An expression therefore gives the same result for an assertion at any time.
 */
export const FUNCTIONS: ReadonlyMap<string, readonly Form[]> = new Map<string, readonly Form[]>([
  ['_&&_', [form(['bool', 'bool'], 'bool')]],
  ['_||_', [form(['bool', 'bool'], 'bool')]],
  ['!_', [form(['bool'], 'bool')]],
  ['@not_strictly_false', [form(['bool'], 'bool')]],
  ['_==_', [form(['any', 'any'], 'bool')]],
  ['_!=_', [form(['any', 'any'], 'bool')]],
  ['_<_', COMPARISON],
  ['_<=_', COMPARISON],
  ['_>_', COMPARISON],
  ['_>=_', COMPARISON],
  ['_+_', [...ARITHMETIC, form(['string', 'string'], 'string'), form([LIST, LIST], LIST)]],
  ['_-_', ARITHMETIC],
  ['_*_', ARITHMETIC],
  ['_/_', ARITHMETIC],
  ['_%_', [form(['int', 'int'], 'int')]],
  ['-_', NUMBERS.map((number) => form([number], number))],
  ['@in', [form(['any', LIST], 'bool'), form(['string', MAP], 'bool')]],
  ['size', SIZE],
  ['int', (['int', 'double', 'string'] as const).map((type) => form([type], 'int'))],
  ['double', (['int', 'double', 'string'] as const).map((type) => form([type], 'double'))],
  ['string', (['int', 'double', 'string', 'bool'] as const).map((type) => form([type], 'string'))],
])

/** The methods. The receiver is the first argument. */
export const METHODS: ReadonlyMap<string, readonly Form[]> = new Map<string, readonly Form[]>([
  ['contains', TEST],
  ['startsWith', TEST],
  ['endsWith', TEST],
  ['size', SIZE],
  ['split', [form(['string', 'string'], { list: 'string' })]],
  ['lowerAscii', [form(['string'], 'string')]],
])

/** Wraps the range of a comprehension and the condition of its loop. These names cannot be written in an expression. */
export const BOUNDED = '@bounded'
export const STOPPABLE = '@stoppable'

const { BOOL, DYN, INT, STRING } = CelScalar
const LIST_TYPE = listType(DYN)
/** The maximum length of a text that is converted to a number. */
const LONGEST_NUMBER = 32
/** These functions compare the elements of a list or a map. */
const DEEP: ReadonlySet<string> = new Set(['_==_', '_!=_', '@in'])
/** Making a list costs one step for this many elements. */
const ELEMENTS_OF_STEP = 16

/** The functions of the library, each charged before it runs, and the functions of this server. */
export function meteredFunctions(meter: Meter): readonly CelFunc[] {
  const standard = [...celEnv().funcs].filter(({ name }) => FUNCTIONS.has(name) || METHODS.has(name))
  return [...standard.map((callable) => metered(callable, meter)), ...ownFunctions(meter)]
}

function metered(callable: CelFunc, meter: Meter): CelFunc {
  const { name, target, arguments: parameters, result } = callable
  const isDeep = DEEP.has(name)
  const readsNumber = name === 'int' || name === 'double'
  const run = (on: unknown, values: readonly unknown[]) => {
    for (const value of on === undefined ? values : [on, ...values]) {
      chargeFor(meter, value, isDeep)
      if (readsNumber && typeof value === 'string' && value.length > LONGEST_NUMBER) {
        throw new Error(`converts a string of more than ${LONGEST_NUMBER} characters to a number`)
      }
    }
    // The library has checked the types of the values.
    const made = Reflect.apply(callable.call, callable, [0, on, values])
    if (isCelError(made)) throw made
    if (typeof made === 'string' && made.length > LONGEST_TEXT)
      throw new Error(`creates a string of more than ${LONGEST_TEXT} characters`)
    return made
  }
  return target === undefined
    ? celFunc(name, parameters, result, (...values: unknown[]) => run(undefined, values))
    : celMethod(name, target, parameters, result, function (this: unknown, ...values: unknown[]) {
        return run(this, values)
      })
}

function chargeFor(meter: Meter, value: unknown, isDeep: boolean): void {
  if (typeof value === 'string') meter.chargeText(value.length)
  else meter.charge(1)
  if (!isDeep) return
  if (isCelList(value)) for (const element of value) chargeFor(meter, element, true)
  else if (isCelMap(value)) for (const element of value.values()) chargeFor(meter, element, true)
}

function ownFunctions(meter: Meter): readonly CelFunc[] {
  const made = new WeakMap<CelList, readonly CelValue[]>()
  return [
    // The library concatenates two lists into a chain, which becomes ever slower to iterate.
    celFunc('_+_', [LIST_TYPE, LIST_TYPE], LIST_TYPE, (left, right) => {
      meter.charge(1 + Math.floor((left.size + right.size) / ELEMENTS_OF_STEP))
      const elements = [...(made.get(left) ?? left), ...(made.get(right) ?? right)]
      const list = celList(elements)
      made.set(list, elements)
      return list
    }),
    celMethod('split', STRING, [STRING], LIST_TYPE, function (separator) {
      meter.chargeText(this.length)
      const parts = this.split(separator)
      meter.charge(parts.length)
      return parts
    }),
    celMethod('lowerAscii', STRING, [], STRING, function () {
      meter.chargeText(this.length)
      return this.replaceAll(/[A-Z]+/g, (capitals) => capitals.toLowerCase())
    }),
    celFunc(BOUNDED, [DYN, INT], DYN, (range, stepsOfElement) => {
      if (!isCelList(range) && !isCelMap(range)) throw new Error('can iterate only over a list or a map')
      if (range.size > MOST_ELEMENTS) throw new Error(`iterates over more than ${MOST_ELEMENTS} elements`)
      meter.charge(range.size * Number(stepsOfElement))
      return range
    }),
    celFunc(STOPPABLE, [BOOL], BOOL, (goesOn) => {
      meter.charge(0)
      return goesOn
    }),
  ]
}
