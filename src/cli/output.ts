import type { JsonValue } from '@bufbuild/protobuf'
import { uuidV7 } from '../crypto/random.ts'
import { writeAnswer, writeHighlighted } from './terminal.ts'

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
  // Nobody who chose a part of the answer can know it.
  const nonce = uuidV7()
  const marks = { begin: `<${nonce}>`, end: `</${nonce}>` }
  return {
    json,
    bold: (text) => (colours ? `${marks.begin}${text}${marks.end}` : text),
    answer: (document, text) => {
      if (json) writeAnswer(`${JSON.stringify(document(), null, 2)}\n`)
      else writeHighlighted(`${text()}\n`, marks)
    },
  }
}
