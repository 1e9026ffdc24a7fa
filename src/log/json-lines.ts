import manifest from '../../package.json' with { type: 'json' }

/** What stands in every line of a process that writes beside others. */
export type LineFields = Readonly<Record<string, number | string>>

const ORIGIN = `,"service":"qscope","version":${JSON.stringify(manifest.version)},"msg":`

/**
 * Puts what is logged into lines of JSON, which begin with level, time, service, version and message, whatever follows.
 * Every call leaves a line: the head of it is put into words once a millisecond, and the rest by the engine in one go.
 */
export class JsonLines {
  /** What stands in every line after the message. */
  readonly #base: string
  #at = Number.NaN
  #head = ''

  constructor(base: LineFields | null) {
    this.#base = base === null ? '' : membersOf(base)
  }

  /** A line with its end. What has no JSON, such as what holds itself, is named instead: to log never fails. */
  line(level: string, fields: object, message: string): string {
    return `{"level":"${level}"${this.#headNow()}${JSON.stringify(message)}${this.#base}${membersOf(fields)}}\n`
  }

  #headNow(): string {
    const now = Date.now()
    if (now !== this.#at) {
      this.#at = now
      this.#head = `,"time":"${new Date(now).toISOString()}"${ORIGIN}`
    }
    return this.#head
  }
}

/** The members of an object as they follow others: each with a comma before it. */
function membersOf(fields: object): string {
  const json = jsonOf('err' in fields ? { ...fields, err: serializeError(fields.err) } : fields)
  return json.length > 2 ? `,${json.slice(1, -1)}` : ''
}

function jsonOf(fields: object): string {
  try {
    return JSON.stringify(fields)
  } catch (error) {
    return JSON.stringify({ notWritten: Object.keys(fields), because: String(error) })
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
