/**
 * A cell is one measurement of QScope, named `database/row/tokens/in-flight/workers/transport`, such as
 * `sqlite/introspect/1m/32/1w/grpc-js`. The default transport is omitted.
 */
export const DATABASES = Object.freeze(['sqlite', 'mysql', 'mariadb', 'postgres'] as const)
export type DatabaseName = (typeof DATABASES)[number]

export const ROWS = Object.freeze([
  'introspect',
  'introspect-revoked',
  'introspect-garbage',
  'verify',
  'batch-introspect',
  'mint',
  'mint-jwt',
  'refresh',
  'revoke',
] as const)
export type RowName = (typeof ROWS)[number]

/** Special measurements that run only if named: the duration of a start, and memory over ten minutes. */
export const TRIALS = Object.freeze(['start', 'soak'] as const)
export type TrialName = (typeof TRIALS)[number]

export const SIZES = Object.freeze([10_000, 1_000_000, 10_000_000])
export const IN_FLIGHT = Object.freeze([1, 32, 128])
export const WORKERS = Object.freeze([1, 2])
/** The first one is the server's default. */
export const TRANSPORTS = Object.freeze(['native', 'grpc-js'] as const)
export type TransportName = (typeof TRANSPORTS)[number]
const [DEFAULT_TRANSPORT] = TRANSPORTS

/** The server of a cell. Cells with the same ground share a server. */
export interface Ground {
  readonly database: DatabaseName
  /** The number of tokens in the table. */
  readonly tokens: number
  readonly workers: number
  readonly transport: TransportName
}

export interface Cell extends Ground {
  readonly row: RowName | TrialName
  readonly inFlight: number
}

export function isTrial(row: Cell['row']): row is TrialName {
  return TRIALS.some((trial) => trial === row)
}

/** `10000000` → `10m`. */
export function sizeName(tokens: number): string {
  if (tokens % 1_000_000 === 0) return `${tokens / 1_000_000}m`
  return tokens % 1_000 === 0 ? `${tokens / 1_000}k` : String(tokens)
}

export function groundName({ database, tokens, workers, transport }: Ground): string {
  return `${database}/${sizeName(tokens)}/${workers}w${suffixOf(transport)}`
}

export function cellName({ database, row, tokens, inFlight, workers, transport }: Cell): string {
  return `${database}/${row}/${sizeName(tokens)}/${inFlight}/${workers}w${suffixOf(transport)}`
}

function suffixOf(transport: TransportName): string {
  return transport === DEFAULT_TRANSPORT ? '' : `/${transport}`
}

/** Parses the name of one cell. Throws an error of one line. */
export function cellOf(name: string): Cell {
  const [cell, ...more] = parseCells([name])
  if (cell === undefined || more.length > 0) throw new Error(`${name} should name one cell`)
  return cell
}

/**
 * Parses patterns. Each part may be a list (`mint,refresh`) or `*`. Omitted parts at the end are `1m`, `32`, `1w` and
 * `native`. Without patterns, returns all cells. Throws an error of one line.
 */
export function parseCells(patterns: readonly string[]): readonly Cell[] {
  const cells = (patterns.length === 0 ? ['*/*/*/*/*'] : patterns).flatMap(cellsOf)
  return [...new Map(cells.map((cell) => [cellName(cell), cell])).values()]
}

function cellsOf(pattern: string): readonly Cell[] {
  const [database = '*', row = '*', tokens = '1m', inFlight = '32', workers = '1w', ...rest] = pattern.split('/')
  const [transport = DEFAULT_TRANSPORT, ...more] = rest
  if (more.length > 0) throw new Error(`${pattern} should be database/row/tokens/in-flight/workers/transport`)
  const cells: Cell[] = []
  for (const eachTokens of choices(tokens, SIZES, sizeOf))
    for (const eachWorkers of choices(workers, WORKERS, workersOf))
      for (const eachInFlight of choices(inFlight, IN_FLIGHT, countOf))
        for (const eachDatabase of choices(database, DATABASES, (text) => oneOf(text, DATABASES)))
          for (const eachRow of choices<Cell['row']>(row, ROWS, (text) => oneOf(text, [...ROWS, ...TRIALS])))
            for (const eachTransport of choices(transport, TRANSPORTS, (text) => oneOf(text, TRANSPORTS)))
              cells.push({
                database: eachDatabase,
                row: eachRow,
                tokens: eachTokens,
                inFlight: eachInFlight,
                workers: eachWorkers,
                transport: eachTransport,
              })
  return cells
}

function choices<T>(text: string, all: readonly T[], parse: (text: string) => T): readonly T[] {
  return text === '*' ? all : text.split(',').map(parse)
}

function oneOf<T extends string>(text: string, all: readonly T[]): T {
  const found = all.find((each) => each === text)
  if (found === undefined) throw new Error(`${text} should be one of ${all.join(', ')}, or *`)
  return found
}

function sizeOf(text: string): number {
  const [, digits, unit] = /^([1-9]\d*)([km]?)$/.exec(text) ?? []
  if (digits === undefined) throw new Error(`${text} should be a number of tokens, such as 10k or 1m`)
  return Number(digits) * (unit === 'm' ? 1_000_000 : unit === 'k' ? 1_000 : 1)
}

function countOf(text: string): number {
  if (!/^[1-9]\d*$/.test(text)) throw new Error(`${text} should be how many calls are in flight, such as 32`)
  return Number(text)
}

function workersOf(text: string): number {
  if (!/^[1-9]\d*w$/.test(text)) throw new Error(`${text} should be a number of workers, such as 2w`)
  return Number(text.slice(0, -1))
}
