/** A client or a user: the resources that configuration as code can manage. */
export interface Owned {
  /** The mark of the configuration that manages it. `null`: not managed. */
  readonly owner: string | null
}

/** Whether `owner` may be set: it is set already, there is none, or the caller adopts the resource. */
export function mayTakeOn(owned: Owned, owner: string | null, adopt: boolean): boolean {
  return adopt || owned.owner === null || owned.owner === owner
}
