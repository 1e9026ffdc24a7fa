/** Beyond these a statement stays unnamed, and is prepared anew each time: the server keeps what has a name. */
const MOST_NAMES = 500

const names = new Map<string, string>()

/** The name under which the driver keeps a statement prepared, the same for the same text; empty: not kept. */
export function statementName(sql: string): string {
  const known = names.get(sql)
  if (known !== undefined) return known
  if (names.size >= MOST_NAMES) return ''
  const name = `qscope_${names.size}`
  names.set(sql, name)
  return name
}
