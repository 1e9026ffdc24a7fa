import { z } from 'zod'
import { isLoopback, parseAddress } from './address.ts'
import { parseDatabaseUrl } from './database-url.ts'
import { parseDuration } from './duration.ts'
import { parseRate } from './rate.ts'

export const SIGNING_ALGORITHMS = Object.freeze(['ES256', 'EdDSA', 'RS256'] as const)
export const LOG_LEVELS = Object.freeze(['debug', 'info', 'warn', 'error', 'silent'] as const)

/** A string that `parse` understands. */
function parsed<T>(parse: (text: string) => T | null) {
  return z.string().transform((text, context) => {
    const value = parse(text)
    if (value !== null) return value
    context.addIssue({ code: 'custom', message: 'not understood' })
    return z.NEVER
  })
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

/** `https://console.example.com` as browsers write it; a slash at its end is let go. */
function parseOrigin(text: string): string | null {
  const url = URL.parse(text)
  const isOrigin = url !== null && /^https?:$/.test(url.protocol) && url.href === `${url.origin}/`
  return isOrigin ? url.origin : null
}

/** Credentials belong in headers, which are not shown. */
function parseEndpoint(text: string): string | null {
  const url = URL.parse(text)
  const usable =
    url !== null && /^https?:$/.test(url.protocol) && !/[?#]/.test(text) && url.username === '' && url.password === ''
  return usable ? text.replace(/\/+$/, '') : null
}

/** How the value of each kind of variable is read. */
export const SCHEMAS = {
  database: parsed(parseDatabaseUrl),
  address: parsed(parseAddress),
  addressOrOff: z.union([z.literal('off').transform(() => null), parsed(parseAddress)]),
  origin: parsed(parseOrigin),
  origins: parsed((text) => {
    const origins = text
      .split(',')
      .filter((each) => each.trim() !== '')
      .map((each) => parseOrigin(each.trim()))
    return origins.includes(null) ? null : Object.freeze(origins.filter((each) => each !== null))
  }),
  issuer: parsed((text) => {
    const url = URL.parse(text)
    const usable =
      url !== null && /^https?:$/.test(url.protocol) && !/[?#]/.test(text) && url.username === '' && url.password === ''
    return usable
      ? { text: text.replace(/\/$/, ''), plain: url.protocol === 'http:' && !isLoopback(url.hostname) }
      : null
  }),
  url: z.url({ protocol: /^https?$/ }),
  path: z.string().min(1),
  endpoint: parsed(parseEndpoint),
  ratio: z
    .string()
    .regex(/^(0(\.\d+)?|1(\.0+)?)$/)
    .transform(Number),
  level: z.enum(LOG_LEVELS),
  format: z.enum(['json', 'pretty']),
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
