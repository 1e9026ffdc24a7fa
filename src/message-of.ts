/** What whatever was thrown says of itself. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** The same, as one line: what libraries add below it is for whoever reads the log. */
export function firstLineOf(error: unknown): string {
  return messageOf(error).split('\n', 1).join('')
}
