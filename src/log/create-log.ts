import { inspect } from 'node:util'
import type { Config } from '../config/config.ts'
import type { Logger } from '../context.ts'
import { printable, printableLines } from '../printable.ts'
import { BackgroundWriter } from './background-writer.ts'
import { JsonLines, type LineFields } from './json-lines.ts'

/** A logger whose lines may still be on their way. */
export interface Log extends Logger {
  /** Writes out what waits, before it returns. */
  flush(): void
}

/** JSON lines, or lines for people, on standard error; written in the background and flushed at exit. */
export function createLog(config: Pick<Config['log'], 'level' | 'format'>, fields: LineFields | null = null): Log {
  return new ProcessLog(config, fields)
}

type Level = Config['log']['level']

/** How much a line matters, by its level. */
const WEIGHTS: Readonly<Record<Level, number>> = Object.freeze({ debug: 0, info: 1, warn: 2, error: 3, silent: 4 })

/** The log of a process. */
class ProcessLog implements Log {
  readonly #lines: JsonLines
  readonly #out: BackgroundWriter
  readonly #leastWeight: number
  readonly #format: Config['log']['format']
  readonly #terminal = process.stderr.isTTY === true
  readonly #colours = this.#terminal && !process.env['NO_COLOR']

  constructor({ level, format }: Pick<Config['log'], 'level' | 'format'>, fields: LineFields | null) {
    this.#lines = new JsonLines(fields)
    this.#out = new BackgroundWriter(fields !== null)
    this.#leastWeight = WEIGHTS[level]
    this.#format = format
  }

  debug(fields: object, message: string): void {
    this.#write('debug', fields, message)
  }

  info(fields: object, message: string): void {
    this.#write('info', fields, message)
  }

  warn(fields: object, message: string): void {
    this.#write('warn', fields, message)
  }

  error(fields: object, message: string): void {
    this.#write('error', fields, message)
  }

  flush(): void {
    this.#out.flush()
  }

  #write(level: Level, fields: object, message: string): void {
    if (WEIGHTS[level] < this.#leastWeight) return
    const line = this.#lines.line(level, fields, message)
    if (this.#format === 'pretty') this.#out.write(prettyLine(line, this.#colours))
    else this.#out.write(this.#terminal ? printableLines(line) : line)
  }
}

const COLOURS: Readonly<Record<string, string>> = Object.freeze({ debug: '90', info: '32', warn: '33', error: '31' })

/** Formats one line of JSON for people: time, level, message, fields. The service name is left out. */
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
