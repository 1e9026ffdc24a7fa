/** The two ids of a user, for a choice between them. */
export const USER_IDS = [
  ['externalId', 'external id'],
  ['userId', 'user id'],
] as const

/** A user as the contract refers to one. */
export function referenceOf(kind: string, id: string) {
  const value = id.trim()
  return kind === 'userId' ? ({ case: 'userId', value } as const) : ({ case: 'externalId', value } as const)
}
