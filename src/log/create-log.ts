import { pino } from 'pino'
import type { Config } from '../config/config.ts'
import type { Logger } from '../logger.ts'
import { prettyLine } from './pretty-line.ts'
import { serializeError } from './serialize-error.ts'

/** A logger whose lines may still be on their way. */
export interface Log extends Logger {
  /** Writes out what waits, before it returns. */
  flush(): void
}

const STDERR = 2
const BUFFER_BYTES = 4_096
const FLUSH_EVERY_MS = 200

/** JSON lines, or lines for people, on standard error; written in the background and flushed at exit. */
export function createLog(config: Pick<Config['log'], 'level' | 'format'>): Log {
  const destination = pino.destination({ dest: STDERR, sync: false, minLength: BUFFER_BYTES })
  // A closed standard error must not end the service.
  destination.on('error', () => undefined)
  const flush = () => {
    try {
      destination.flushSync()
    } catch {
      // Nowhere is left to write to.
    }
  }
  setInterval(() => destination.flush(), FLUSH_EVERY_MS).unref()
  process.once('exit', flush)
  const colours = process.stderr.isTTY === true && !process.env['NO_COLOR']
  const stream = {
    write: (line: string) => {
      destination.write(config.format === 'pretty' ? prettyLine(line, colours) : line)
    },
  }
  const log = pino(
    {
      level: config.level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
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
