import { printable, printableLines } from '../printable.ts'

/** Everything the command line says goes through here, so that nothing of a server's or a database's steers the terminal. */
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
export function complain(line: string): void {
  process.stderr.write(`qscope: ${printable(line)}\n`)
}

/** Lines on standard error that are no complaint of a command, such as how it is used. */
export function writeNotice(lines: string): void {
  process.stderr.write(printableLines(lines))
}
