import { type EpochMs, epochMs, type UserId } from './ids.ts'

/** A reference to somebody whom another system authenticates. */
export interface User {
  readonly userId: UserId
  /** The id in the system that owns the user. */
  readonly externalId: string
  readonly active: boolean
  /** What was made for the user under another generation is inactive. */
  readonly tokenGeneration: number
  /** The mark of the configuration as code that manages it; `null`: none does. */
  readonly owner: string | null
  readonly createdAt: EpochMs
  readonly createdBy: string
  readonly updatedAt: EpochMs
  readonly updatedBy: string
}

/** The version of a user as callers see it; opaque to them. No two changes of a user have one moment. */
export function etagOfUser({ updatedAt }: User): string {
  return `u${updatedAt}`
}

/** The moment of a change at `now`: later than that of the change before, whatever the clocks say. */
export function momentOfChange({ updatedAt }: Pick<User, 'updatedAt'>, now: EpochMs): EpochMs {
  return updatedAt < now ? now : epochMs(updatedAt + 1)
}
