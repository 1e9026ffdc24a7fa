/** What a JSON text may say (RFC 8259 §3). */
export type JsonValue = null | boolean | number | string | JsonValue[] | JsonObject
export interface JsonObject {
  [name: string]: JsonValue
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * The JSON object that bytes are, in UTF-8; `null` if they are none, or a name
 * occurs twice in it or in an object inside: of two values one party would take
 * the first, and another the last. Never throws.
 */
export function jsonObject(bytes: Uint8Array): Readonly<Record<string, unknown>> | null {
  try {
    const text = utf8.decode(bytes)
    const value: unknown = JSON.parse(text)
    return isObject(value) && namesAreUnique(text) ? value : null
  } catch {
    return null
  }
}

/** Whether a value that was parsed is a JSON object. */
export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/**
 * What matters of a JSON text: strings, each with the colon that makes it a name, and where objects begin and end.
 * A string without an end, which JSON does not have, is one too, so that no text is looked at twice.
 */
const TOKENS = /"([^"\\]*(?:\\.[^"\\]*)*)"?(\s*:)?|[{}]/g

/** Of a text that is known to be JSON; each of its characters is looked at once. */
function namesAreUnique(text: string): boolean {
  const open: Set<string>[] = []
  for (const [token, written = '', colon] of text.matchAll(TOKENS)) {
    if (token === '{') open.push(new Set())
    else if (token === '}') open.pop()
    else if (colon !== undefined) {
      const names = open.at(-1)
      const name = written.includes('\\') ? String(JSON.parse(`"${written}"`)) : written
      if (names === undefined || names.has(name)) return false
      names.add(name)
    }
  }
  return true
}
