import { printable, printableLines } from '../../printable.ts'
import { asciiText, showsUtf8 } from './charset.ts'
import { hangingLines } from './text-width.ts'

/** How a part of an answer is shown on a terminal with colours. */
export type Style = keyof typeof STYLES

/** ECMA-48 §8.3.117: Select Graphic Rendition. */
const STYLES = Object.freeze({ bold: 1, dim: 2, red: 31, green: 32, yellow: 33 })
const RESET = '\u001b[0m'

/** Columns of a terminal that does not tell. */
const COMMON_WIDTH = 80

/** What standard output is. */
export interface Terminal {
  /** Columns; `null`: a pipe or a file, which is as wide as it must be. */
  readonly width: number | null
  readonly colours: boolean
}

/** Standard output of this process. Colours are for a terminal, unless NO_COLOR (https://no-color.org) or TERM=dumb says otherwise. */
export function standardOutput(): Terminal {
  if (process.stdout.isTTY !== true) return { width: null, colours: false }
  const colours = !process.env['NO_COLOR'] && process.env['TERM'] !== 'dumb'
  return { width: process.stdout.columns || COMMON_WIDTH, colours }
}

/** Mark the parts of an output that have a style. They contain a nonce, so data in the output cannot forge them. */
export class StyleMarks {
  readonly #nonce: string

  constructor(nonce: string) {
    this.#nonce = nonce
  }

  around(style: Style, text: string): string {
    return `<${this.#nonce}:${style}>${text}</${this.#nonce}>`
  }

  /** The text with what the terminal understands in the place of the marks. */
  replacedIn(text: string): string {
    return Object.entries(STYLES)
      .reduce((before, [style, code]) => before.replaceAll(`<${this.#nonce}:${style}>`, `\u001b[${code}m`), text)
      .replaceAll(`</${this.#nonce}>`, RESET)
  }
}

/**
 * All output of the command line goes through this file, so that no text of a server or a database can control the
 * terminal.
 */
export function writeAnswer(lines: string): void {
  process.stdout.write(shownOn(process.stdout, printableLines(lines)))
}

/** An answer of which parts are marked with a style. */
export function writeStyled(lines: string, marks: StyleMarks): void {
  process.stdout.write(shownOn(process.stdout, marks.replacedIn(printableLines(lines))))
}

/**
 * One line on standard error. A terminal gets it in lines that fit, each but the first indented, so that no text looks like a
 * message of its own.
 */
export function writeError(line: string): void {
  process.stderr.write(wrappedOn(process.stderr, `qscope: ${printable(line)}\n`, '  '))
}

/** Lines on standard error that are not errors, such as how a command is used. */
export function writeNotice(lines: string): void {
  process.stderr.write(wrappedOn(process.stderr, printableLines(lines), ''))
}

function wrappedOn(stream: NodeJS.WriteStream, text: string, indent: string): string {
  const shown = shownOn(stream, text)
  if (stream.isTTY !== true) return shown
  const width = stream.columns || COMMON_WIDTH
  return shown
    .split('\n')
    .map((line) => hangingLines(line, width, indent))
    .join('\n')
}

/** A pipe or a file gets UTF-8 whatever the locale; a terminal gets what it can show. */
function shownOn(stream: NodeJS.WriteStream, text: string): string {
  return stream.isTTY === true && !showsUtf8(process.env) ? asciiText(text) : text
}
