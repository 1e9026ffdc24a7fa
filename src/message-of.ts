/** The message of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** The first line of that message: drivers add lines that are of no use to an operator. */
export function firstLineOf(error: unknown): string {
  return messageOf(error).split('\n', 1).join('')
}
