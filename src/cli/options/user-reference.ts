import type { Command } from 'commander'
import { UsageError } from './options.ts'

export interface UserReferenceOptions {
  readonly userId?: string
  readonly externalId?: string
}

/** Adds the options that identify the consenting user. */
export function withUserReference(command: Command): Command {
  return command
    .option('--user-id <id>', 'the user')
    .option('--external-id <id>', 'id of the user in the other system; registered if new')
}

/** The user in the options. Throws unless exactly one option identifies it. */
export function userReference({ userId, externalId }: UserReferenceOptions) {
  if (userId !== undefined && externalId === undefined) return { id: { case: 'userId' as const, value: userId } }
  if (externalId !== undefined && userId === undefined)
    return { id: { case: 'externalId' as const, value: externalId } }
  throw new UsageError('name the user who consented: give --user-id or --external-id')
}
