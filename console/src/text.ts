/** The words of a text, whatever white space is between them; a scope, an audience or an address has none in it. */
export function wordsOf(text: string): string[] {
  return text.split(/\s+/).filter((line) => line !== '')
}

/** The lines of a text that hold something. */
export function linesIn(text: string): string[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
}

/** An object of JSON, as names and texts. What is none becomes a text without a name, which the server refuses. */
export function textsOf(json: string): Record<string, string> {
  try {
    const value: unknown = JSON.parse(json)
    if (isRecordOfTexts(value)) return value
  } catch {
    // As any other value that is no object of strings.
  }
  return { '': json }
}

function isRecordOfTexts(value: unknown): value is Record<string, string> {
  return (
    value !== null &&
    typeof value === 'object' &&
    !Array.isArray(value) &&
    Object.values(value).every((text) => typeof text === 'string')
  )
}
