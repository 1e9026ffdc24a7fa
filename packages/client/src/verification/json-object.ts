const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** A token of QScope has a few; what reads it may recurse. */
const MOST_LEVELS = 64

/** Half a character, of which parsers make different ones. QScope escapes no whole one. A backslash may be escaped itself. */
const SURROGATE = /[^\\](?:\\\\)*\\u[dD][89a-fA-F]/

/**
 * One string, or one sign that opens, closes or separates members. A string without an end, which JSON does not have, is
 * one too, so that no text is looked at twice.
 */
const MARKS = /"(?:[^"\\]|\\.)*"?|[{}[\],:]/g

/**
 * Reads an object of JSON (RFC 8259) whose members have names of their own, in
 * objects inside it too (RFC 7515 §4, RFC 7519 §4); `null` for anything else. Two
 * parsers that take different ones of two members would see different tokens.
 */
export function readJsonObject(bytes: Uint8Array): Readonly<Record<string, unknown>> | null {
  try {
    const text = UTF8.decode(bytes)
    if (SURROGATE.test(text)) return null
    const value: unknown = JSON.parse(text)
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return null
    return isOrderly(text) ? Object.fromEntries(Object.entries(value)) : null
  } catch (error) {
    // What is no UTF-8 or no JSON.
    if (error instanceof TypeError || error instanceof SyntaxError) return null
    throw error
  }
}

/** Whether text that is valid JSON repeats no name and is not nested without end. */
function isOrderly(text: string): boolean {
  /** The names of each object that is open, outermost first; `null` for a list. */
  const open: (Set<string> | null)[] = []
  let isName = false
  for (const [mark] of text.matchAll(MARKS)) {
    const names = open.at(-1)
    if (mark === '{' || mark === '[') {
      open.push(mark === '{' ? new Set() : null)
      if (open.length > MOST_LEVELS) return false
      isName = mark === '{'
    } else if (mark === '}' || mark === ']') {
      open.pop()
      isName = false
    } else if (mark === ',') {
      isName = names instanceof Set
    } else if (mark === ':') {
      isName = false
    } else if (isName && names instanceof Set) {
      const name: unknown = JSON.parse(mark)
      if (typeof name !== 'string' || names.has(name)) return false
      names.add(name)
    }
  }
  return true
}
