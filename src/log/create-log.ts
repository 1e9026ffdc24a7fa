import { pino } from 'pino'
import type { Config } from '../config/config.ts'
import type { Logger } from '../logger.ts'
import { printableLines } from '../printable.ts'
import { prettyLine } from './pretty-line.ts'
import { serializeError } from './serialize-error.ts'

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

/** JSON lines, or lines for people, on standard error; written in the background and flushed at exit. */
export function createLog(config: Pick<Config['log'], 'level' | 'format'>, fields: LineFields | null = null): Log {
  const destination = pino.destination({
    dest: STDERR,
    sync: false,
    minLength: 1,
    ...(fields !== null && { maxWrite: PIECE_BYTES }),
  })
  // A closed standard error must not end the service.
  destination.on('error', () => undefined)
  /** Joined here: the destination measures and copies each piece that it is given. */
  let lines = ''
  const handOver = () => {
    if (lines === '') return
    destination.write(lines)
    lines = ''
  }
  const flush = () => {
    try {
      handOver()
      destination.flushSync()
    } catch {
      // Nowhere is left to write to.
    }
  }
  setInterval(() => {
    handOver()
    destination.flush()
  }, FLUSH_EVERY_MS).unref()
  process.once('exit', flush)
  const terminal = process.stderr.isTTY === true
  const colours = terminal && !process.env['NO_COLOR']
  const shownOnTerminal = (line: string) => (terminal ? printableLines(line) : line)
  const stream = {
    write: (line: string) => {
      const written = config.format === 'pretty' ? prettyLine(line, colours) : shownOnTerminal(line)
      if (lines.length + written.length > PIECE_BYTES) handOver()
      lines += written
    },
  }
  const log = pino(
    {
      level: config.level,
      base: fields,
      timestamp: isoTime(),
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: serializeError },
    },
    stream,
  )
  return {
    debug: (fields, message) => log.debug(fields, message),
    info: (fields, message) => log.info(fields, message),
    warn: (fields, message) => log.warn(fields, message),
    error: (fields, message) => log.error(fields, message),
    flush,
  }
}

/** The time as pino wants it, put into words once a millisecond. */
function isoTime(): () => string {
  let at = Number.NaN
  let text = ''
  return () => {
    const now = Date.now()
    if (now !== at) {
      at = now
      text = `,"time":"${new Date(now).toISOString()}"`
    }
    return text
  }
}
