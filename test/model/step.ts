import { type Arbitrary, type AsyncCommand, constant, nat, oneof, subarray } from 'fast-check'
import { expect } from 'vitest'
import type { ErrorCode } from '../../src/errors/registry.ts'
import type { Result } from '../../src/results.ts'
import type { Grant, MClient } from './entities.ts'
import type { System } from './system.ts'
import type { World } from './world.ts'

export type Step = AsyncCommand<World, System>

/** One kind of call: its arguments, and its comparison with the model. */
export function step<Args>(
  name: string,
  args: Arbitrary<Args>,
  run: (world: World, system: System, args: Args) => Promise<void>,
): Arbitrary<Step> {
  return args.map((chosen) => ({
    check: () => true,
    run: async (world, system) => {
      world.steps += 1
      await run(world, system, chosen)
    },
    toString: () => `${name}(${JSON.stringify(chosen)})`,
  }))
}

/** An index into a list, from the latest; low ones are more likely. */
export const which = oneof({ arbitrary: constant(0), weight: 2 }, { arbitrary: nat(3), weight: 3 }, nat(40))

/** `null` for an empty list. */
export function pick<T>(list: readonly T[], index: number): T | null {
  return list.at(-1 - (index % Math.max(1, list.length))) ?? null
}

/** Like `pick`, but mostly among those for which the call can succeed. */
export function pickLikely<T>(list: readonly T[], index: number, isLikely: (each: T) => boolean): T | null {
  const likely = index % 8 === 7 ? [] : list.filter(isLikely)
  return pick(likely.length === 0 ? list : likely, index)
}

/** The client of a call: mostly an enabled one that may use the grant. */
export function pickClient(world: World, index: number, grant: Grant): MClient | null {
  return pickLikely(
    world.clients,
    index,
    ({ profile, admitted, deleted }) => admitted && !deleted && profile.grants.includes(grant),
  )
}

/** True with a low probability. */
export const rarely = oneof({ arbitrary: constant(false), weight: 24 }, constant(true))

/** Requested scopes: none, some, and `d`, which is not allowed for any client. */
export const someScopes = oneof(
  { arbitrary: constant<string[]>([]), weight: 6 },
  { arbitrary: subarray(['a', 'b'], { minLength: 1 }), weight: 3 },
  subarray(['a', 'b', 'c', 'd']),
)

/** Requested audiences, by their index in `audiencesOf`. */
export const someAudiences = oneof(
  { arbitrary: constant<number[]>([]), weight: 5 },
  { arbitrary: subarray([0, 1], { minLength: 1 }), weight: 2 },
  subarray([0, 1, 2, 3], { maxLength: 2 }),
)

/** The audiences that exist in a run, and one that does not. */
export function audiencesOf(world: World, indexes: readonly number[]): string[] {
  const known = [...new Set(world.clients.flatMap(({ profile }) => profile.audiences))]
  return indexes.map((index) => known[index] ?? 'nobody')
}

/** The credentials of a client. */
export function proofOf({ clientId, secret, profile }: MClient, isWrong = false) {
  const value = isWrong ? 'wrong' : secret
  if (profile.isPublic && !isWrong) return { clientId }
  return { clientId, method: { case: 'clientSecret' as const, value } }
}

/** RFC 6749 §2.3: the errors of client authentication. */
export function authentication(client: MClient, isWrong: boolean): ErrorCode[] {
  return isWrong || client.deleted || !client.admitted ? ['oauth.invalid_client'] : []
}

/**
 * Compares the answer with the model: refused for one of the reasons if there
 * are any, else answered. `mayRefuse`: refusals that the rules allow but do not require.
 */
export function compare<T>(result: Result<T>, refusals: readonly ErrorCode[], mayRefuse: readonly ErrorCode[] = []) {
  if (result.ok) {
    expect(refusals, 'the model refuses, the system does not').toEqual([])
    return result.value
  }
  if (refusals.length === 0 && mayRefuse.length === 0) {
    expect.fail(`the system refuses, the model does not: ${result.code} ${JSON.stringify(result.details)}`)
  }
  expect([...refusals, ...mayRefuse], 'another reason than the model’s').toContain(result.code)
  return null
}

/** The errors of the first stage that has any; later stages are not checked. */
export function firstOf(...stages: readonly (readonly ErrorCode[])[]): readonly ErrorCode[] {
  return stages.find((stage) => stage.length > 0) ?? []
}

/** The errors, if the condition applies. */
export function when(applies: boolean, ...codes: ErrorCode[]): ErrorCode[] {
  return applies ? codes : []
}
