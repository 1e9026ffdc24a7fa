import { inspect } from 'node:util'
import { printable } from '../printable.ts'

const COLOURS: Readonly<Record<string, string>> = Object.freeze({ debug: '90', info: '32', warn: '33', error: '31' })

/** Turns one line of JSON into one for people: time, level, message, fields. They know which service they look at. */
export function prettyLine(line: string, colours: boolean): string {
  const parsed: unknown = JSON.parse(line)
  if (typeof parsed !== 'object' || parsed === null) return line
  const { time, level, msg, err, service: _service, version: _version, ...fields } = parsed as Record<string, unknown>
  const paint = (text: string, code: string) => (colours ? `\u001b[${code}m${text}\u001b[0m` : text)
  const rest = Object.entries(fields).map(
    ([name, value]) =>
      `${paint(`${printable(name)}=`, '90')}${printable(typeof value === 'string' ? value : inspect(value, { breakLength: Infinity }))}`,
  )
  const head = `${paint(String(time).slice(11, 23), '90')} ${paint(String(level).padEnd(5), COLOURS[String(level)] ?? '0')} ${printable(String(msg))}`
  return `${[head, ...rest].join(' ')}${err === undefined ? '' : `\n${stackOf(err)}`}\n`
}

function stackOf(err: unknown): string {
  const stack = typeof err === 'object' && err !== null && 'stack' in err ? err.stack : err
  return typeof stack === 'string'
    ? stack
        .split('\n')
        .map((line) => `    ${printable(line)}`)
        .join('\n')
    : `    ${printable(inspect(stack, { breakLength: Infinity }))}`
}
