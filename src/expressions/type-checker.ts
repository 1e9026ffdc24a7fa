import type { parse } from '@bufbuild/cel'
import { BOUNDED, type Form, FUNCTIONS, METHODS, STOPPABLE } from './functions.ts'
import { InvalidExpression } from './problem.ts'
import { elementOf, join, mayBe, nameOf, type Type } from './type.ts'

export type Syntax = ReturnType<typeof parse>['expr']
type Kinds = Syntax['exprKind']
type Kind<Case extends Kinds['case']> = Extract<Kinds, { readonly case: Case }>
type Call = Kind<'callExpr'>['value']
type Comprehension = Kind<'comprehensionExpr'>['value']

/** The maximum number of syntax tree nodes, including those of expanded macros. */
export const MOST_PARTS = 250
export const DEEPEST_PART = 32
export const MOST_COMPREHENSIONS = 4
/** A comprehension may contain another one, but no third level. */
export const DEEPEST_COMPREHENSION = 2

const INDEX = '_[_]'
const CONDITIONAL = '_?_:_'
const VARIABLE = 'claims'

interface Place {
  readonly scope: ReadonlyMap<string, Type>
  readonly depth: number
  readonly comprehensions: number
}

/**
 * Checks a syntax tree before evaluation: the functions it uses, its size, and the types of its nodes as far as they
 * are known. The library checks only types of constants and variables. The checker also limits the range of each
 * comprehension.
 */
export class TypeChecker {
  #parts = 0
  #comprehensions = 0

  /** The number of nodes checked. */
  get parts(): number {
    return this.#parts
  }

  /** @throws InvalidExpression */
  check(root: Syntax): Type {
    return this.#typeOf(root, { scope: new Map([[VARIABLE, { map: 'any' }]]), depth: 1, comprehensions: 0 })
  }

  #typeOf(part: Syntax | undefined, at: Place): Type {
    if (part === undefined) throw new InvalidExpression('is not complete')
    const { id, exprKind: kind } = part
    this.#parts += 1
    if (this.#parts > MOST_PARTS) throw new InvalidExpression(`has more than ${MOST_PARTS} parts`)
    if (at.depth > DEEPEST_PART) throw new InvalidExpression(`is nested more than ${DEEPEST_PART} deep`, id)
    const inside = { ...at, depth: at.depth + 1 }
    switch (kind.case) {
      case 'constExpr':
        return constantType(id, kind.value)
      case 'identExpr':
        return variableType(id, kind.value.name, at)
      case 'selectExpr': {
        const of = this.#typeOf(kind.value.operand, inside)
        const value = fieldOf(id, of)
        return kind.value.testOnly ? 'bool' : value
      }
      case 'callExpr':
        return this.#callType(id, kind.value, inside)
      case 'listExpr':
        return { list: kind.value.elements.map((element) => this.#typeOf(element, inside)).reduce(join, 'never') }
      case 'structExpr':
        return this.#mapType(id, kind.value, inside)
      case 'comprehensionExpr':
        return this.#comprehensionType(id, kind.value, inside)
      case undefined:
        throw new InvalidExpression('is not complete', id)
      default:
        return kind satisfies never
    }
  }

  #mapType(id: bigint, { messageName, entries }: Kind<'structExpr'>['value'], inside: Place): Type {
    if (messageName !== '') throw new InvalidExpression('must not construct messages', id)
    let values: Type = 'never'
    for (const entry of entries) {
      const key = entry.keyKind.case === 'mapKey' ? this.#typeOf(entry.keyKind.value, inside) : null
      if (key === null || !mayBe(key, 'string'))
        throw new InvalidExpression('must have strings as the keys of a map', entry.id)
      values = join(values, this.#typeOf(entry.value, inside))
    }
    return { map: values }
  }

  #callType(id: bigint, call: Call, inside: Place): Type {
    const { function: name, target } = call
    const given = (target === undefined ? call.args : [target, ...call.args]).map((arg) => this.#typeOf(arg, inside))
    if (target === undefined && name === INDEX) return indexType(id, given)
    if (target === undefined && name === CONDITIONAL) return conditionalType(id, given)
    const forms = (target === undefined ? FUNCTIONS : METHODS).get(name)
    if (forms === undefined) throw new InvalidExpression(`must not use ${name}`, id)
    const fitting = forms.filter((form) => fits(form, given))
    const [first, ...others] = fitting
    if (first === undefined) {
      throw new InvalidExpression(`${name} does not accept (${given.map(nameOf).join(', ')})`, id)
    }
    if (name === '_+_' && typeof first.gives === 'object') return given.reduce(join)
    return others.every(({ gives }) => gives === first.gives) ? first.gives : 'any'
  }

  #comprehensionType(id: bigint, value: Comprehension, inside: Place): Type {
    this.#comprehensions += 1
    if (this.#comprehensions > MOST_COMPREHENSIONS) {
      throw new InvalidExpression(`has more than ${MOST_COMPREHENSIONS} comprehensions`, id)
    }
    const { iterRange, iterVar, accuVar } = value
    const range = this.#typeOf(iterRange, inside)
    const element = elementOf(range)
    if (iterRange === undefined || element === null) {
      throw new InvalidExpression(`can iterate only over a list or a map, not over ${nameOf(range)}`, id)
    }
    const comprehensions = inside.comprehensions + 1
    if (comprehensions > DEEPEST_COMPREHENSION) {
      throw new InvalidExpression(`has more than ${DEEPEST_COMPREHENSION} nested comprehensions`, id)
    }
    const initial = this.#typeOf(value.accuInit, inside)
    const before = this.#parts
    const body = {
      ...inside,
      comprehensions,
      scope: new Map([...inside.scope, [accuVar, initial], [iterVar, element]]),
    }
    this.#expect('bool', value.loopCondition, body)
    const step = this.#typeOf(value.loopStep, body)
    const made = join(initial, step)
    value.iterRange = bounded(iterRange, this.#parts - before)
    value.loopCondition = stoppable(value.loopCondition)
    return this.#typeOf(value.result, { ...inside, scope: new Map([...inside.scope, [accuVar, made]]) })
  }

  #expect(wanted: Type, part: Syntax | undefined, at: Place): void {
    const type = this.#typeOf(part, at)
    if (!mayBe(type, wanted)) throw new InvalidExpression(`must be ${nameOf(wanted)}, but is ${nameOf(type)}`, part?.id)
  }
}

function constantType(id: bigint, { constantKind: { case: kind } }: Kind<'constExpr'>['value']): Type {
  switch (kind) {
    case 'boolValue':
      return 'bool'
    case 'int64Value':
      return 'int'
    case 'doubleValue':
      return 'double'
    case 'stringValue':
      return 'string'
    case 'nullValue':
      return 'null'
    default:
      throw new InvalidExpression('must use only strings, numbers, true, false and null as literals', id)
  }
}

function variableType(id: bigint, name: string, { scope }: Place): Type {
  const type = scope.get(name)
  if (type === undefined) throw new InvalidExpression(`has no variable ${name}, only ${VARIABLE}`, id)
  return type
}

function fieldOf(id: bigint, type: Type): Type {
  if (type === 'any' || type === 'never') return 'any'
  if (typeof type === 'object' && 'map' in type) return type.map
  throw new InvalidExpression(`${nameOf(type)} has no fields`, id)
}

function indexType(id: bigint, [of = 'never', index = 'never']: readonly Type[]): Type {
  if (of === 'any' || of === 'never') {
    if (['int', 'string'].some((wanted) => mayBe(index, wanted as Type))) return 'any'
  } else if (typeof of === 'object') {
    const [wanted, value]: readonly [Type, Type] = 'list' in of ? ['int', of.list] : ['string', of.map]
    if (mayBe(index, wanted)) return value
  }
  throw new InvalidExpression(`${nameOf(of)} has no element for ${nameOf(index)}`, id)
}

function conditionalType(id: bigint, [condition = 'never', yes = 'never', no = 'never']: readonly Type[]): Type {
  if (!mayBe(condition, 'bool')) throw new InvalidExpression(`? requires bool before it, not ${nameOf(condition)}`, id)
  return join(yes, no)
}

/** `&&` and `||` may take more than two arguments. */
function fits({ takes }: Form, given: readonly Type[]): boolean {
  const wanted = takes.length === 2 && given.length > 2 ? given.map(() => takes[0]) : takes
  return wanted.length === given.length && wanted.every((type, at) => mayBe(given[at] ?? 'never', type ?? 'never'))
}

/** Wraps the range. The wrapper refuses a range that is too long, and charges the cost of the body for each element. */
function bounded(range: Syntax, parts: number): Syntax {
  const { id } = range
  const steps: Syntax = {
    $typeName: 'cel.expr.Expr',
    id,
    exprKind: {
      case: 'constExpr',
      value: { $typeName: 'cel.expr.Constant', constantKind: { case: 'int64Value', value: BigInt(parts) } },
    },
  }
  return call(id, BOUNDED, [range, steps])
}

/** Wraps the condition of a loop, so that an evaluation beyond its limit leaves the loop at once. */
function stoppable(condition: Syntax | undefined): Syntax {
  if (condition === undefined) throw new InvalidExpression('is not complete')
  return call(condition.id, STOPPABLE, [condition])
}

function call(id: bigint, name: string, args: Syntax[]): Syntax {
  const value: Call = { $typeName: 'cel.expr.Expr.Call', function: name, args }
  return { $typeName: 'cel.expr.Expr', id, exprKind: { case: 'callExpr', value } }
}
