/** The two ids of a user, for a choice between them. */
export const USER_IDS = [
  ['externalId', 'external id'],
  ['userId', 'user id'],
] as const

/** A user as the contract refers to one. The server compares external ids exactly, so white space is part of them. */
export function referenceOf(kind: string, id: string) {
  return kind === 'userId'
    ? ({ case: 'userId', value: id.trim() } as const)
    : ({ case: 'externalId', value: id } as const)
}
