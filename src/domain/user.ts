import { type EpochMs, epochMs, type UserId } from './ids.ts'

/** A reference to a person whom another system authenticates. */
export interface User {
  readonly userId: UserId
  /** The id in the system of record. */
  readonly externalId: string
  readonly active: boolean
  /** Everything that was issued under another generation is inactive. */
  readonly tokenGeneration: number
  /** The mark of the configuration as code that manages it. `null`: not managed. */
  readonly owner: string | null
  readonly createdAt: EpochMs
  readonly createdBy: string
  readonly updatedAt: EpochMs
  readonly updatedBy: string
}

/** The version of a user for callers, who must treat it as opaque. Two changes of a user never have the same time. */
export function etagOfUser({ updatedAt }: User): string {
  return `u${updatedAt}`
}

/** The time of a change at `now`. It is always later than the previous change, whatever the clocks show. */
export function momentOfChange({ updatedAt }: Pick<User, 'updatedAt'>, now: EpochMs): EpochMs {
  return updatedAt < now ? now : epochMs(updatedAt + 1)
}
