import { type DescMessage, type JsonValue, type MessageShape, toJson } from '@bufbuild/protobuf'
import { type Duration, durationMs, type Timestamp, timestampDate } from '@bufbuild/protobuf/wkt'
import { formatDuration } from '../../config/duration.ts'
import { uuidV7 } from '../../crypto/random.ts'
import { printable } from '../../printable.ts'
import type { OutputForm, OutputOptions } from '../options/output-options.ts'
import { type Cell, exactText, styleOf } from './cell.ts'
import { type Column, layTable } from './table.ts'
import {
  type Style,
  StyleMarks,
  standardOutput,
  type Terminal,
  writeAnswer,
  writeNotice,
  writeStyled,
} from './terminal.ts'
import { displayWidth, hangingLines, wrapTo } from './text-width.ts'
import { yamlText } from './yaml.ts'

const GAP = '  '
/** A value is not wrapped into fewer columns than this. */
const NARROWEST_VALUE = 20

/** The answer of a command, in each form of `-o`. */
export interface Answer {
  /** For `json` and `yaml`. */
  readonly document: () => JsonValue
  /** For `table` and `wide`: lines for people, without the end of the last. */
  readonly text: () => string
  /** For `name`: the ids of what is answered, as other commands take them as arguments. */
  readonly names: () => readonly string[]
}

/** How a kind of object is shown. */
export interface View<T> {
  /** Its id. */
  readonly name: (object: T) => string
  /** A row of a list. */
  readonly columns: readonly Column<T>[]
  /** All about one. */
  readonly pairs: (object: T) => readonly Pair[]
}

/** A name and its value; without a value it is left out. */
export type Pair = readonly [string, Cell]

/** Prints the answer of a command in the form that was asked for. */
export class Output {
  readonly #form: OutputForm
  readonly #terminal: Terminal
  readonly #marks = new StyleMarks(uuidV7())

  constructor({ output = 'table' }: OutputOptions, terminal = standardOutput()) {
    this.#form = output
    this.#terminal = terminal
  }

  /** Prints one of the forms, and a line's end. */
  answer({ document, text, names }: Answer): void {
    if (this.#form === 'json') writeAnswer(`${JSON.stringify(document(), null, 2)}\n`)
    else if (this.#form === 'yaml') writeAnswer(yamlText(document()))
    else if (this.#form === 'name')
      writeAnswer(
        names()
          .map((name) => `${printable(name)}\n`)
          .join(''),
      )
    else writeStyled(`${text()}\n`, this.#marks)
  }

  /** Prints one of many answers: a line, or a document of YAML among others. */
  line({ document, text, names }: Answer): void {
    if (this.#form === 'json') writeAnswer(`${JSON.stringify(document())}\n`)
    else if (this.#form === 'yaml') writeAnswer(`---\n${yamlText(document())}`)
    else this.answer({ document, text, names })
  }

  /** Prints one object; `more`: what stands before the others in the text, such as a secret that is shown once. */
  object<T>(view: View<T>, object: T | undefined, document: () => JsonValue, more: readonly Pair[] = []): void {
    this.answer({
      document,
      text: () =>
        object === undefined
          ? ''
          : this.pairs([...view.pairs(object).slice(0, 1), ...more, ...view.pairs(object).slice(1)]),
      names: () => (object === undefined ? [] : [view.name(object)]),
    })
  }

  /** Prints a page of a list. */
  list<T>(view: View<T>, objects: readonly T[], document: () => JsonValue, nextPageToken = ''): void {
    const next = nextPageToken === '' ? '' : `more with --page-token ${nextPageToken}`
    this.answer({
      document,
      text: () => this.table(view.columns, objects) + (next === '' ? '' : `\n${next}`),
      names: () => objects.map(view.name),
    })
    // In the name form it would be read as a name.
    if (this.#form === 'name' && next !== '') writeNotice(`${next}\n`)
  }

  /** Formats rows under headings. `layTable` describes how they fit into a narrow terminal. */
  table<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string {
    return layTable(columns, rows, {
      width: this.#form === 'wide' ? null : this.#terminal.width,
      now: Date.now(),
      styled: (style, text) => this.#styled(style, text),
    })
  }

  /** Names and values, one pair a line; pairs without a value are left out. */
  pairs(pairs: readonly Pair[]): string {
    const shown = pairs.filter(([, value]) => exactText(value) !== '')
    const width = Math.max(0, ...shown.map(([name]) => name.length))
    const indent = `${' '.repeat(width)}${GAP}`
    const room = this.#terminal.width === null ? null : Math.max(NARROWEST_VALUE, this.#terminal.width - indent.length)
    return shown
      .map(([name, cell]) => {
        const style = styleOf(cell)
        const text = printable(exactText(cell))
        const lines = wrapTo(text, room)
        const styled = (each: readonly string[], before: string) =>
          each.map((line) => (style === null ? line : this.#styled(style, line))).join(before)
        // A word that does not fit beside the name stands below it, with as much room as there is.
        if (room !== null && lines.some((line) => displayWidth(line) > room)) {
          const below = wrapTo(text, room + indent.length - GAP.length)
          return `${this.#styled('bold', name)}\n${GAP}${styled(below, `\n${GAP}`)}`
        }
        return `${this.#styled('bold', name)}${indent.slice(name.length)}${styled(lines, `\n${indent}`)}`
      })
      .join('\n')
  }

  /** A line of a text, continued at an indent where the terminal is narrower. */
  wrapped(text: string, indent: string): string {
    return hangingLines(text, this.#terminal.width, indent)
  }

  /** A line above what it is about. */
  heading(text: string): string {
    return this.#styled('bold', printable(text))
  }

  #styled(style: Style, text: string): string {
    return this.#terminal.colours ? this.#marks.around(style, text) : text
  }
}

/** A message as JSON with the names of the proto, empty fields included. */
export function messageJson<Desc extends DescMessage>(schema: Desc, message: MessageShape<Desc>): JsonValue {
  return toJson(schema, message, { alwaysEmitImplicit: true })
}

/** A message whose JSON, in the spelling of the contract, is the document of an RFC. */
export function documentJson<Desc extends DescMessage>(schema: Desc, message: MessageShape<Desc>): JsonValue {
  return toJson(schema, message, { useProtoFieldName: true })
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

/** A secret that no other command can print. Empty: there is none. */
export function shownOnce(secret: string): string {
  return secret === '' ? '' : `${secret}  (shown once; keep it safe)`
}
