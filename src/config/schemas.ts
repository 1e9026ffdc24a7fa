import { z } from 'zod'
import { isLoopback, parseAddress } from './address.ts'
import { parseDatabaseUrl } from './database-url.ts'
import { parseDuration } from './duration.ts'
import { parseRate } from './rate.ts'
import { judgeUrl, type UrlParts } from './url.ts'

export const SIGNING_ALGORITHMS = Object.freeze(['ES256', 'EdDSA', 'RS256'] as const)
export const LOG_LEVELS = Object.freeze(['debug', 'info', 'warn', 'error', 'silent'] as const)

/** What `parsed` says where there is no more to say than what the value should be. */
export const NOT_UNDERSTOOD = 'is not understood'

/** A string that `parse` understands. */
function parsed<T>(parse: (text: string) => T | null) {
  return z.string().transform((text, context) => {
    const value = parse(text)
    if (value !== null) return value
    context.addIssue({ code: 'custom', message: NOT_UNDERSTOOD })
    return z.NEVER
  })
}

/** A URL as it is written; `make` may have more to say against it. */
function url<T>(parts: UrlParts, make: (url: URL, text: string) => T | { readonly problem: string }) {
  return z.string().transform((text, context): T => {
    const judged = judgeUrl(text, parts)
    const made = judged.ok ? make(judged.url, text) : { problem: judged.problem }
    if (!isProblem(made)) return made
    context.addIssue({ code: 'custom', message: made.problem })
    return z.NEVER
  })
}

function isProblem(value: unknown): value is { readonly problem: string } {
  return typeof value === 'object' && value !== null && 'problem' in value
}

/** As browsers write it; the slash that is its whole path may stand there too. */
function originOf({ origin, href }: URL): string | { readonly problem: string } {
  return href === `${origin}/` ? origin : { problem: 'has a path' }
}

const PLAIN = Object.freeze({ query: false })
const WITH_QUERY = Object.freeze({ query: true })
const origin = url(PLAIN, originOf)

/** The same for each of several, separated by commas and, if liked, spaces. */
const origins = z.string().transform((text, context): readonly string[] => {
  const each = text
    .split(',')
    .map((one) => trimSpaces(one))
    .filter((one) => one !== '')
  const read = each.map((one) => ({ one, result: origin.safeParse(one) }))
  const bad = read.find(({ result }) => !result.success)
  if (bad === undefined) return Object.freeze(read.flatMap(({ result }) => (result.success ? [result.data] : [])))
  const reason = bad.result.error?.issues[0]?.message ?? NOT_UNDERSTOOD
  context.addIssue({ code: 'custom', message: `has one at place ${read.indexOf(bad) + 1} that ${reason}` })
  return z.NEVER
})

function trimSpaces(text: string): string {
  let [from, to] = [0, text.length]
  while (from < to && text[from] === ' ') from += 1
  while (to > from && text[to - 1] === ' ') to -= 1
  return text.slice(from, to)
}

const wholeNumber = (least: number, most: number) =>
  z.string().regex(/^\d+$/).transform(Number).pipe(z.number().min(least).max(most))

const durationBetween = (least: string, most: string) =>
  parsed(parseDuration).pipe(
    z
      .number()
      .min(parseDuration(least) ?? 0)
      .max(parseDuration(most) ?? 0),
  )

/** How the value of each kind of variable is read. */
export const SCHEMAS = {
  database: parsed(parseDatabaseUrl),
  address: parsed(parseAddress),
  addressOrOff: z.union([z.literal('off').transform(() => null), parsed(parseAddress)]),
  origin,
  origins,
  issuer: url(PLAIN, ({ protocol, hostname }, text) => ({
    text,
    plain: protocol === 'http:' && !isLoopback(hostname),
  })),
  url: url(WITH_QUERY, (_url, text) => text),
  path: z.string().min(1),
  endpoint: url(PLAIN, (_url, text) => text),
  ratio: z
    .string()
    .regex(/^(0(\.\d+)?|1(\.0+)?)$/)
    .transform(Number),
  level: z.enum(LOG_LEVELS),
  format: z.enum(['json', 'pretty']),
  /** `null`: on where only this machine can ask. */
  onOffAuto: z.enum(['on', 'off', 'auto']).transform((value) => (value === 'auto' ? null : value === 'on')),
  onOff: z.enum(['on', 'off']).transform((value) => value === 'on'),
  flag: z.enum(['0', '1']).transform((value) => value === '1'),
  grace: durationBetween('0s', '10m'),
  workers: z.union([z.literal('auto'), wholeNumber(1, 64)]),
  walLimit: wholeNumber(262_144, 1_073_741_824),
  poolSize: wholeNumber(3, 500),
  queuedCalls: wholeNumber(1, 1_000_000),
  connectTimeout: durationBetween('100ms', '1m'),
  statementTimeout: durationBetween('1s', '10m'),
  messageBytes: wholeNumber(1_024, 67_108_864),
  streams: wholeNumber(1, 100_000),
  count: wholeNumber(1, 1_000_000),
  liveTokens: z.union([z.literal('off').transform(() => null), wholeNumber(1, 1_000_000_000)]),
  rate: z.union([z.literal('off').transform(() => null), parsed(parseRate)]),
  connectionAge: durationBetween('10s', '7d'),
  keepalive: durationBetween('10s', '1d'),
  signingAlgorithm: z.enum(SIGNING_ALGORITHMS),
  signingKeyRotation: z.union([z.literal('off').transform(() => null), durationBetween('1d', '365d')]),
  purgeInterval: z.union([z.literal('off').transform(() => null), durationBetween('1s', '1d')]),
  purgeRetention: durationBetween('1m', '365d'),
}
