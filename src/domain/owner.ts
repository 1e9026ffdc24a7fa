/** What configuration as code may manage: a client, or a user. */
export interface Owned {
  /** The mark of the configuration that manages it; `null`: none does. */
  readonly owner: string | null
}

/** Whether it may have `owner` from now on: it has that already, or none, or is adopted. */
export function mayTakeOn(owned: Owned, owner: string | null, adopt: boolean): boolean {
  return adopt || owned.owner === null || owned.owner === owner
}
