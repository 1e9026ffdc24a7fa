import { type DescMessage, type JsonValue, type MessageShape, toJson } from '@bufbuild/protobuf'
import { type Duration, durationMs, type Timestamp, timestampDate } from '@bufbuild/protobuf/wkt'
import { formatDuration } from '../config/duration.ts'
import { uuidV7 } from '../crypto/random.ts'
import { printable } from '../printable.ts'
import { writeAnswer, writeHighlighted } from './terminal.ts'

const GAP = '  '

/** Prints the answer of a command: text and tables for people, or one JSON document. */
export class Output {
  readonly #json: boolean
  readonly #colours = process.stdout.isTTY === true && !process.env['NO_COLOR']
  /** Surround what is shown in bold. Nobody who chose a part of the answer can know them. */
  readonly #marks: { readonly begin: string; readonly end: string }

  constructor({ json = false }: { readonly json?: boolean }) {
    this.#json = json
    const nonce = uuidV7()
    this.#marks = { begin: `<${nonce}>`, end: `</${nonce}>` }
  }

  /** Prints one of the two forms, and a line's end. */
  answer(document: () => JsonValue, text: () => string): void {
    if (this.#json) writeAnswer(`${JSON.stringify(document(), null, 2)}\n`)
    else writeHighlighted(`${text()}\n`, this.#marks)
  }

  /** Prints one of many answers, in one line. */
  line(document: () => JsonValue, text: () => string): void {
    if (this.#json) writeAnswer(`${JSON.stringify(document())}\n`)
    else writeHighlighted(`${text()}\n`, this.#marks)
  }

  /** Rows under headings, columns as wide as their widest cell. */
  table(headings: readonly string[], rows: readonly (readonly string[])[]): string {
    const widths = headings.map((heading, column) =>
      Math.max(heading.length, ...rows.map((row) => printable(row[column] ?? '').length)),
    )
    const line = (cells: readonly string[]) =>
      cells
        .map((cell, column) => printable(cell).padEnd(widths[column] ?? 0))
        .join(GAP)
        .trimEnd()
    return [this.#bold(line(headings)), ...rows.map(line)].join('\n')
  }

  /** Names and values, one pair a line; pairs without a value are left out. */
  keyValues(pairs: readonly (readonly [string, string | null])[]): string {
    const shown = pairs.filter((pair): pair is readonly [string, string] => pair[1] !== null && pair[1] !== '')
    const width = Math.max(0, ...shown.map(([name]) => name.length))
    return shown.map(([name, value]) => `${this.#bold(name.padEnd(width))}${GAP}${printable(value)}`).join('\n')
  }

  /** A line above what it is about. */
  heading(text: string): string {
    return this.#bold(printable(text))
  }

  #bold(text: string): string {
    return this.#colours ? `${this.#marks.begin}${text}${this.#marks.end}` : text
  }
}

/** A message as JSON with the names of the proto, empty fields included. */
export function messageJson<Desc extends DescMessage>(schema: Desc, message: MessageShape<Desc>): JsonValue {
  return toJson(schema, message, { alwaysEmitImplicit: true })
}

export function timeText(value: Timestamp | undefined): string {
  return value === undefined ? '' : timestampDate(value).toISOString()
}

export function durationText(value: Duration | undefined): string {
  return value === undefined ? '' : formatDuration(durationMs(value))
}

export function listText(values: readonly string[]): string {
  return values.join(' ')
}

/** Key and value of each entry, as `key=value`. */
export function entriesText(entries: Readonly<Record<string, string>>): string {
  return listText(Object.entries(entries).map(([key, value]) => `${key}=${value}`))
}

export function yesNo(value: boolean): string {
  return value ? 'yes' : 'no'
}

/** How to get the next page of a list; empty after the last one. */
export function nextPageText(nextPageToken: string): string {
  return nextPageToken === '' ? '' : `\nmore with --page-token ${nextPageToken}`
}
