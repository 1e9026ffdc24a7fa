import { printable, printableLines } from '../../printable.ts'

/** The command line writes everything through this file, so that no text of a server or a database can control the terminal. */
export function writeAnswer(lines: string): void {
  process.stdout.write(printableLines(lines))
}

/** An answer of which parts, between the marks, are shown in bold. */
export function writeHighlighted(
  lines: string,
  { begin, end }: { readonly begin: string; readonly end: string },
): void {
  process.stdout.write(printableLines(lines).replaceAll(begin, '\u001b[1m').replaceAll(end, '\u001b[0m'))
}

/** One line on standard error. */
export function writeError(line: string): void {
  process.stderr.write(`qscope: ${printable(line)}\n`)
}

/** Lines on standard error that are not errors, such as how a command is used. */
export function writeNotice(lines: string): void {
  process.stderr.write(printableLines(lines))
}
