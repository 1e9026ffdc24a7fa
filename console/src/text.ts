/** The words of a text, whatever white space is between them; a scope, an audience or an address has none in it. */
export function wordsOf(text: string): string[] {
  return text.split(/\s+/).filter((line) => line !== '')
}
