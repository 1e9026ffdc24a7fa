import type { EpochMs, UserId } from './ids.ts'

/** A reference to somebody whom another system authenticates. */
export interface User {
  readonly userId: UserId
  /** The id in the system that owns the user. */
  readonly externalId: string
  readonly active: boolean
  /** What was made for the user under another generation is inactive. */
  readonly tokenGeneration: number
  readonly createdAt: EpochMs
  readonly createdBy: string
  readonly updatedAt: EpochMs
  readonly updatedBy: string
}
