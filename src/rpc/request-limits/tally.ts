/** What a scan counted in the last request that it let pass. */
export interface Tally {
  /** Of the lists of the request itself: how many things it asks for. */
  readonly items: number
  /** Items of lists and entries of maps, at any depth. */
  readonly values: number
  /** Messages inside of the request, at any depth. */
  readonly messages: number
  /** Fields that the schema does not know. */
  readonly unknown: number
  /** Where the field is that is decoded before the rest. */
  readonly earlyFrom: number
  /** Its end; -1: it was not sent. */
  readonly earlyTo: number
}

/** Messages within messages, of schemas that hold themselves. */
export const DEEPEST = 32
