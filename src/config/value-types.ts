import { isIP } from 'node:net'
import { z } from 'zod'
import { LONGEST_SOCKET_PATH, socketPathProblem } from '../domain/unix-socket.ts'
import { checkUrl, type UrlParts } from '../url.ts'
import { type Address, formatAddress, parseAddress } from './address.ts'
import { type DatabaseTarget, maskUrl, parseDatabaseUrl } from './database-url.ts'
import { formatDuration, parseDuration } from './duration.ts'

/** A rate limit as a token bucket: the burst, and the refill rate. */
interface Rate {
  readonly burst: number
  readonly perMinute: number
}

const RATE = /^(\d{1,9})\/([smh])(?::(\d{1,9}))?$/
const PER_MINUTE: Readonly<Record<string, number>> = Object.freeze({ s: 60, m: 1, h: 1 / 60 })

/** Parses `10/s`, `600/m` or `600/m:1000`. The burst follows the colon. Its default is the count. `null`: the text is not a rate. */
export function parseRate(text: string): Rate | null {
  const [, amount, unit, burst = amount] = RATE.exec(text) ?? []
  const factor = PER_MINUTE[unit ?? '']
  if (factor === undefined || Number(amount) < 1 || Number(burst) < 1) return null
  return Object.freeze({ burst: Number(burst), perMinute: Number(amount) * factor })
}

/** Formats a rate for `parseRate`. */
export function formatRate({ burst, perMinute }: Rate): string {
  const count = perMinute % 60 === 0 ? `${perMinute / 60}/s` : perMinute % 1 === 0 ? `${perMinute}/m` : null
  return `${count ?? `${Math.round(perMinute * 60)}/h`}:${burst}`
}

/** A schema's message if only the expected value can be stated. */
export const NOT_UNDERSTOOD = 'is not valid'

/** A method's parameter is bivariant, so that different value types fit into one table. */
type Format<Value> = { format(value: Value): string }['format']

/** Parses, describes and shows the value of a variable. */
export class ValueType<Value> {
  readonly schema: z.ZodType<Value, string>
  /** Completes the sentence "QSCOPE_X should be …". */
  readonly shouldBe: string
  readonly #format: Format<Value>

  constructor(schema: z.ZodType<Value, string>, shouldBe: string, format: Format<Value> = String) {
    this.schema = schema
    this.shouldBe = shouldBe
    this.#format = format
  }

  /** The written form of a value. Secrets are masked. */
  format(value: Value): string {
    return this.#format(value)
  }

  /** The same type with a further description. */
  note(text: string): ValueType<Value> {
    return new ValueType(this.schema, `${this.shouldBe}, ${text}`, this.#format)
  }

  /** The same type, or the word `off` for `null`. */
  orOff(): ValueType<Value | null> {
    return new ValueType<Value | null>(
      z.union([z.literal('off').transform(() => null), this.schema]),
      `${this.shouldBe}, or off`,
      (value) => (value === null ? 'off' : this.#format(value)),
    )
  }
}

/** A string that `parse` accepts. */
function parsed<Value>(parse: (text: string) => Value | null) {
  return z.string().transform((text, context): Value => {
    const value = parse(text)
    if (value !== null) return value
    context.addIssue({ code: 'custom', message: NOT_UNDERSTOOD })
    return z.NEVER
  })
}

/** Any text. */
export function text(shouldBe: string): ValueType<string> {
  return new ValueType(z.string(), shouldBe)
}

/** A secret text, which is never shown. */
export function secret(shouldBe: string): ValueType<string> {
  return new ValueType(z.string(), shouldBe, () => '***')
}

/** A secret that is sent in an HTTP header. */
export function bearerToken(of: string): ValueType<string> {
  const schema = z.string().regex(/^[\x21-\x7e]+$/)
  return new ValueType(schema, `a token ${of}, on one line without white space`, () => '***')
}

/** A path, used as written. `of`: what it leads to. */
export function path(of: string): ValueType<string> {
  return text(`the path of ${of}`)
}

/** The absolute path of a Unix domain socket. */
export function socketPath(of: string): ValueType<string> {
  const schema = z.string().transform((path, context): string => {
    const problem = socketPathProblem(path)
    if (problem === null) return path
    context.addIssue({ code: 'custom', message: problem })
    return z.NEVER
  })
  return new ValueType(schema, `the absolute path of ${of}, at most ${LONGEST_SOCKET_PATH} bytes`)
}

/** The permissions of a file as `chmod` takes them in octal, such as `0660`. */
export function fileMode(): ValueType<number> {
  const schema = z
    .string()
    .regex(/^0?[0-7]{3}$/)
    .transform((digits) => Number.parseInt(digits, 8))
  return new ValueType(schema, 'permissions in octal, such as 0660', (mode) => `0${mode.toString(8).padStart(3, '0')}`)
}

/** `unit`: such as `of bytes`. */
export function wholeNumber(least: number, most: number, unit = ''): ValueType<number> {
  const schema = z.string().regex(/^\d+$/).transform(Number).pipe(z.number().min(least).max(most))
  return new ValueType(schema, `a whole number ${unit === '' ? '' : `${unit} `}from ${least} to ${most}`)
}

/** A number of processes, or the word `auto`. */
export function processes(most: number): ValueType<number | 'auto'> {
  const number = wholeNumber(1, most, 'of processes')
  const shouldBe = `${number.shouldBe} that share the listeners, or auto (one per CPU)`
  return new ValueType(z.union([z.literal('auto'), number.schema]), shouldBe)
}

/** A number from 0 to 1. `of`: what it is a share of. */
export function share(of: string): ValueType<number> {
  const schema = z.string().regex(/^(0(\.\d+)?|1(\.0+)?)$/)
  return new ValueType(schema.transform(Number), `the share of ${of}, from 0 to 1`)
}

/** A duration in milliseconds. The bounds and the example are in written form. */
export function duration(least: string, most: string, example: string): ValueType<number> {
  const bounds = z
    .number()
    .min(parseDuration(least) ?? 0)
    .max(parseDuration(most) ?? 0)
  const shouldBe = `a duration from ${least} to ${most}, such as ${example}`
  return new ValueType(parsed(parseDuration).pipe(bounds), shouldBe, formatDuration)
}

/** `count`: an example without a burst. `burst`: the example's burst. */
export function rate(count: string, burst: number): ValueType<Rate> {
  return new ValueType(
    parsed(parseRate),
    `a rate such as ${count} or ${count}:${burst} (a burst of ${burst})`,
    formatRate,
  )
}

/** One of several words. */
export function choice<const Word extends string>(words: readonly Word[], shouldBe = oneOf(words)): ValueType<Word> {
  return new ValueType(z.enum(words), shouldBe)
}

/** Several of several words, separated by commas and optional spaces. */
export function choices<const Word extends string>(
  words: readonly Word[],
  shouldBe: string,
): ValueType<readonly Word[]> {
  const schema = z
    .string()
    .transform((list) => list.split(',').map((one) => trimSpaces(one)))
    .pipe(z.array(z.enum(words)))
  return new ValueType(schema, shouldBe, (chosen) => chosen.join(','))
}

function oneOf(words: readonly string[]): string {
  if (words.length > 3) return `one of ${words.join(', ')}`
  return `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`
}

export function onOff(): ValueType<boolean> {
  const schema = z.enum(['on', 'off']).transform((word) => word === 'on')
  return new ValueType(schema, 'on or off', (on) => (on ? 'on' : 'off'))
}

/** `1` or `0`. `to`: the effect of 1. */
export function flag(to: string): ValueType<boolean> {
  const schema = z.enum(['0', '1']).transform((digit) => digit === '1')
  return new ValueType(schema, `1 to ${to}, else 0`, (set) => (set ? '1' : '0'))
}

export function address(examples: string): ValueType<Address> {
  return new ValueType(parsed(parseAddress), `host:port, such as ${examples}`, formatAddress)
}

export function databaseUrl(): ValueType<DatabaseTarget> {
  const shouldBe =
    'sqlite:<path>, sqlite::memory:, libsql:<path>, libsql://host:port, mysql://user:password@host:port/database or postgres://user:password@host:port/database, the last two with several hosts as host:port,host:port'
  return new ValueType(parsed(parseDatabaseUrl), shouldBe, ({ url }) => maskUrl(url))
}

/** A URL as written. `make` may report further problems. */
function urlSchema(parts: UrlParts, make: (url: URL, written: string) => string | { readonly problem: string }) {
  return z.string().transform((written, context): string => {
    const checked = checkUrl(written, parts)
    const made = checked.ok ? make(checked.url, written) : { problem: checked.problem }
    if (typeof made === 'string') return made
    context.addIssue({ code: 'custom', message: made.problem })
    return z.NEVER
  })
}

/** An https or http URL, kept as written. */
export function url(shouldBe: string, parts: UrlParts): ValueType<string> {
  return new ValueType(
    urlSchema(parts, (_url, written) => written),
    shouldBe,
  )
}

/** In the form of browsers. A slash as the whole path is accepted, too. */
const ORIGIN = urlSchema({ query: false }, ({ origin, href }) =>
  href === `${origin}/` ? origin : { problem: 'has a path' },
)

/** A URL without a path. */
export function origin(shouldBe: string): ValueType<string> {
  return new ValueType(ORIGIN, shouldBe)
}

/** Several origins, separated by commas and optional spaces. */
export function origins(shouldBe: string): ValueType<readonly string[]> {
  const schema = z.string().transform((list, context): readonly string[] => {
    const each = list
      .split(',')
      .map((one) => trimSpaces(one))
      .filter((one) => one !== '')
    const read = each.map((one) => ORIGIN.safeParse(one))
    const bad = read.find(({ success }) => !success)
    if (bad === undefined) return Object.freeze(read.flatMap((result) => (result.success ? [result.data] : [])))
    const reason = bad.error?.issues[0]?.message ?? NOT_UNDERSTOOD
    context.addIssue({ code: 'custom', message: `has an item at position ${read.indexOf(bad) + 1} that ${reason}` })
    return z.NEVER
  })
  return new ValueType(schema, shouldBe, (list) => list.join(','))
}

/** Hosts outside of the public internet: names and networks. */
export interface PrivateHosts {
  /** In lower case, as in URLs. */
  readonly names: readonly string[]
  readonly networks: readonly PrivateNetwork[]
}

/** `prefix`: the length in bits. */
export interface PrivateNetwork {
  readonly address: string
  readonly prefix: number
  readonly family: 'ipv4' | 'ipv6'
}

/** Host names, addresses and networks in CIDR notation (RFC 4632), separated by commas and optional spaces. */
export function privateHosts(shouldBe: string): ValueType<PrivateHosts> {
  const schema = z.string().transform((list, context): PrivateHosts => {
    const each = list
      .split(',')
      .map((one) => trimSpaces(one))
      .filter((one) => one !== '')
    const read = each.map((one) => parseNetwork(one) ?? parseHostName(one))
    const bad = read.indexOf(null)
    if (bad >= 0) {
      context.addIssue({
        code: 'custom',
        message: `has one at place ${bad + 1} that is neither a host name nor a network`,
      })
      return z.NEVER
    }
    return Object.freeze({
      names: Object.freeze(read.filter((one) => typeof one === 'string')),
      networks: Object.freeze(read.filter((one) => typeof one === 'object' && one !== null)),
    })
  })
  return new ValueType(schema, shouldBe, ({ names, networks }) =>
    [...names, ...networks.map(({ address, prefix }) => `${address}/${prefix}`)].join(','),
  )
}

function parseNetwork(text: string): PrivateNetwork | null {
  const [, address = '', digits] = /^([0-9A-Fa-f.:]+)(?:\/(0|[1-9]\d{0,2}))?$/.exec(text) ?? []
  const family = isIP(address)
  const longest = family === 4 ? 32 : 128
  const prefix = digits === undefined ? longest : Number(digits)
  if (family === 0 || prefix > longest) return null
  return Object.freeze({ address, prefix, family: family === 4 ? 'ipv4' : 'ipv6' })
}

/** The host in the form of a URL, for comparison. */
function parseHostName(text: string): string | null {
  const url = URL.parse(`https://${text}/`)
  const isName = /^[A-Za-z0-9._-]+$/.test(text) && url !== null && isIP(url.hostname) === 0
  return isName ? url.hostname : null
}

/** Without the spaces at both ends. */
export function trimSpaces(written: string): string {
  let [from, to] = [0, written.length]
  while (from < to && written[from] === ' ') from += 1
  while (to > from && written[to - 1] === ' ') to -= 1
  return written.slice(from, to)
}
