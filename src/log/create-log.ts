import { writeSync } from 'node:fs'
import { inspect } from 'node:util'
import { type Logger as PinoLogger, pino } from 'pino'
import manifest from '../../package.json' with { type: 'json' }
import type { Config } from '../config/config.ts'
import type { Logger } from '../context.ts'
import { printable, printableLines } from '../printable.ts'

/** A logger whose lines may still be on their way. */
export interface Log extends Logger {
  /** Writes out what waits, before it returns. */
  flush(): void
}

/** What stands in every line of a process that writes beside others. */
export type LineFields = Readonly<Record<string, number | string>>

const STDERR = 2
/** What processes write to one pipe mixes only in pieces longer than this: `PIPE_BUF` in pipe(7). */
const PIECE_BYTES = 4_096
const FLUSH_EVERY_MS = 200
/** At the end, a pipe that is full is waited for this often, for so long. */
const MOST_TRIES = 100
const RETRY_MS = 10
const SLEEPER = new Int32Array(new SharedArrayBuffer(4))

/** JSON lines, or lines for people, on standard error; written in the background and flushed at exit. */
export function createLog(config: Pick<Config['log'], 'level' | 'format'>, fields: LineFields | null = null): Log {
  return new ProcessLog(config, fields)
}

/** The log of a process. */
class ProcessLog implements Log {
  readonly #head = new LineHead()
  readonly #out: BackgroundWriter
  readonly #pino: PinoLogger<never, false>

  constructor({ level, format }: Pick<Config['log'], 'level' | 'format'>, fields: LineFields | null) {
    const terminal = process.stderr.isTTY === true
    const colours = terminal && !process.env['NO_COLOR']
    const shownOnTerminal = (line: string) => (terminal ? printableLines(line) : line)
    const out = new BackgroundWriter(fields !== null)
    const head = this.#head
    this.#out = out
    this.#pino = pino(
      {
        level,
        base: fields,
        timestamp: () => head.text(),
        formatters: { level: (label) => ({ level: label }) },
        serializers: { err: serializeError },
        errorKey: NO_ERROR_KEY,
      },
      { write: (line) => out.write(format === 'pretty' ? prettyLine(line, colours) : shownOnTerminal(line)) },
    )
  }

  debug(fields: object, message: string): void {
    this.#head.message = message
    this.#pino.debug(fields)
  }

  info(fields: object, message: string): void {
    this.#head.message = message
    this.#pino.info(fields)
  }

  warn(fields: object, message: string): void {
    this.#head.message = message
    this.#pino.warn(fields)
  }

  error(fields: object, message: string): void {
    this.#head.message = message
    this.#pino.error(fields)
  }

  flush(): void {
    this.#out.flush()
  }
}

/** Writes to standard error in the background, and what is left when the process ends. */
class BackgroundWriter {
  readonly #destination: ReturnType<typeof pino.destination>
  /** Joined here: the destination measures and copies each piece that it is given. */
  #lines = ''

  /** `shared`: other processes write to the same pipe. */
  constructor(shared: boolean) {
    this.#destination = pino.destination({
      dest: STDERR,
      sync: false,
      minLength: 1,
      ...(shared && { maxWrite: PIECE_BYTES }),
    })
    // A closed standard error must not end the service.
    this.#destination.on('error', () => undefined)
    setInterval(() => {
      this.#handOver()
      this.#destination.flush()
    }, FLUSH_EVERY_MS).unref()
    process.once('exit', () => this.flush())
  }

  write(line: string): void {
    if (this.#lines.length + line.length > PIECE_BYTES) this.#handOver()
    this.#lines += line
  }

  flush(): void {
    try {
      this.#destination.flushSync()
      // Handed over, they would be written in the background, where the end of the process overtakes them.
      writeNow(this.#lines)
      this.#lines = ''
    } catch {
      // Nowhere is left to write to.
    }
  }

  #handOver(): void {
    if (this.#lines === '') return
    this.#destination.write(this.#lines)
    this.#lines = ''
  }
}

/** Writes all of it before it returns, for as long as somebody reads it. */
function writeNow(text: string): void {
  let rest = Buffer.from(text)
  for (let tries = 0; rest.length > 0 && tries < MOST_TRIES; ) {
    try {
      rest = rest.subarray(writeSync(STDERR, rest))
    } catch (error) {
      if (codeOf(error) !== 'EAGAIN') throw error
      // The pipe is full.
      tries += 1
      Atomics.wait(SLEEPER, 0, 0, RETRY_MS)
    }
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : null
}

/** Under its usual one pino would take an error's message for the line's, and write it at the end. */
const NO_ERROR_KEY = 'none'
const ORIGIN = `,"service":"qscope","version":${JSON.stringify(manifest.version)},"msg":`

/**
 * What every line begins with, after its level: time, service, version, message. pino writes
 * a message last; what it asks for as the time may be more than that, and it asks for each line.
 */
class LineHead {
  message = ''
  #at = Number.NaN
  #time = ''

  text(): string {
    const now = Date.now()
    if (now !== this.#at) {
      // Put into words once a millisecond.
      this.#at = now
      this.#time = `,"time":"${new Date(now).toISOString()}"${ORIGIN}`
    }
    return this.#time + JSON.stringify(this.message)
  }
}

const MAX_CAUSES = 4

/**
 * An error as it may be logged: only known members, since drivers hang
 * statements and their parameters on their errors.
 */
function serializeError(error: unknown, depth = 0): unknown {
  if (!(error instanceof Error)) return String(error)
  const code = 'code' in error && (typeof error.code === 'string' || typeof error.code === 'number') ? error.code : null
  return {
    type: error.name,
    message: error.message,
    ...(code === null ? {} : { code }),
    ...(error.stack === undefined ? {} : { stack: error.stack }),
    ...(error.cause === undefined || depth >= MAX_CAUSES ? {} : { cause: serializeError(error.cause, depth + 1) }),
  }
}

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
