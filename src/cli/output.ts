import type { JsonValue } from '@bufbuild/protobuf'

/** Where a command's answer goes: tables for people, or one JSON document. */
export interface Output {
  readonly json: boolean
  /** Prints one of the two forms, and a line's end. */
  answer(document: () => JsonValue, text: () => string): void
  /** Highlights on a terminal; elsewhere returns the text as it is. */
  readonly bold: (text: string) => string
}

export function createOutput(json: boolean): Output {
  const colours = process.stdout.isTTY === true && !process.env['NO_COLOR']
  return {
    json,
    bold: (text) => (colours ? `\u001b[1m${text}\u001b[0m` : text),
    answer: (document, text) => {
      process.stdout.write(`${json ? JSON.stringify(document(), null, 2) : text()}\n`)
    },
  }
}
