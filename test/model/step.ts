import { type Arbitrary, type AsyncCommand, constant, nat, oneof, subarray } from 'fast-check'
import { expect } from 'vitest'
import type { ErrorCode } from '../../src/errors/registry.ts'
import type { Result } from '../../src/results.ts'
import type { Grant, MClient } from './entities.ts'
import type { System } from './system.ts'
import type { World } from './world.ts'

export type Step = AsyncCommand<World, System>

/** One kind of call: what it may be called with, and what the model says of it. */
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

/** Which one of a list is meant; the latest are the likeliest. */
export const which = oneof({ arbitrary: constant(0), weight: 2 }, { arbitrary: nat(3), weight: 3 }, nat(40))

/** `null` for an empty list. */
export function pick<T>(list: readonly T[], index: number): T | null {
  return list.at(-1 - (index % Math.max(1, list.length))) ?? null
}

/** As `pick`, but mostly among those for which something can come of it. */
export function pickLikely<T>(list: readonly T[], index: number, isLikely: (each: T) => boolean): T | null {
  const likely = index % 8 === 7 ? [] : list.filter(isLikely)
  return pick(likely.length === 0 ? list : likely, index)
}

/** The client that is meant: mostly one that is let in and may use the grant. */
export function pickClient(world: World, index: number, grant: Grant): MClient | null {
  return pickLikely(
    world.clients,
    index,
    ({ profile, admitted, deleted }) => admitted && !deleted && profile.grants.includes(grant),
  )
}

/** True now and then. */
export const rarely = oneof({ arbitrary: constant(false), weight: 24 }, constant(true))

/** Scopes that are asked: none, some, and `d`, which nobody may have. */
export const someScopes = oneof(
  { arbitrary: constant<string[]>([]), weight: 6 },
  { arbitrary: subarray(['a', 'b'], { minLength: 1 }), weight: 3 },
  subarray(['a', 'b', 'c', 'd']),
)

/** Which of the world's audiences are asked: by the index in `audiencesOf`. */
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

/** How a client proves itself. */
export function proofOf({ clientId, secret, profile }: MClient, isWrong = false) {
  const value = isWrong ? 'wrong' : secret
  if (profile.isPublic && !isWrong) return { clientId }
  return { clientId, method: { case: 'clientSecret' as const, value } }
}

/** RFC 6749 §2.3: who is let in. */
export function authentication(client: MClient, isWrong: boolean): ErrorCode[] {
  return isWrong || client.deleted || !client.admitted ? ['oauth.invalid_client'] : []
}

/**
 * Holds the answer against the model's: refused for one of the reasons if there
 * are any, else answered. `mayRefuse`: where the rules leave it open.
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

/** The first kind of trouble there is: later ones are not looked at. */
export function firstOf(...stages: readonly (readonly ErrorCode[])[]): readonly ErrorCode[] {
  return stages.find((stage) => stage.length > 0) ?? []
}

/** A reason, if it applies. */
export function when(applies: boolean, ...codes: ErrorCode[]): ErrorCode[] {
  return applies ? codes : []
}
