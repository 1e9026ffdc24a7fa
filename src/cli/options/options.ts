import type { DescEnum } from '@bufbuild/protobuf'
import type { GenEnum } from '@bufbuild/protobuf/codegenv2'
import type { Duration, Timestamp } from '@bufbuild/protobuf/wkt'
import { durationFromMs, timestampFromMs } from '@bufbuild/protobuf/wkt'
import { type Command, InvalidArgumentError, Option } from 'commander'
import { type Address, parseAddress } from '../../config/address.ts'
import { parseDuration } from '../../config/duration.ts'
import { type OutputOptions, withOutput } from './output-options.ts'

/** The command was used incorrectly: exit code 2. */
export class UsageError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'UsageError'
  }
}

/** How a command connects to QScope and authenticates. */
export interface ConnectionOptions extends OutputOptions {
  readonly server?: Address
  readonly context?: string
  readonly local?: true
  readonly plaintext?: true
  readonly tls?: true
  readonly caFile?: string
  readonly certFile?: string
  readonly keyFile?: string
  readonly token?: string
  readonly clientId?: string
  readonly clientSecret?: string
  readonly clientSecretFile?: string
  readonly clientAssertionFile?: string
}

const CONNECTION_GROUP = 'Connection options:'

/** Adds the options of every command that calls QScope. `prints`: whether it prints in the formats of `-o`, or one text. */
export function withConnection(
  command: Command,
  { prints = 'objects' }: { readonly prints?: 'objects' | 'text' } = {},
): Command {
  const add = (flags: string, description: string) => new Option(flags, description).helpGroup(CONNECTION_GROUP)
  return (prints === 'objects' ? withOutput(command) : command)
    .addOption(add('--server <host:port>', 'call this server (or QSCOPE_SERVER)').argParser(address))
    .addOption(add('--context <name>', 'call the server of this context (default: QSCOPE_CONTEXT, or the current one)'))
    .addOption(add('--local', 'work on the configured database (the default if no server is set)'))
    .addOption(add('--tls', 'use TLS, with a certificate that this machine trusts'))
    .addOption(add('--ca-file <path>', 'use TLS, with a certificate of this CA'))
    .addOption(add('--cert-file <path>', 'client certificate to present to the server'))
    .addOption(add('--key-file <path>', 'its private key'))
    .addOption(add('--plaintext', 'allow plaintext credentials to another machine'))
    .addOption(add('--token <token>', 'bearer token, or - to read standard input (or QSCOPE_TOKEN)'))
    .addOption(add('--client-id <id>', 'call as this client (or QSCOPE_CLIENT_ID)'))
    .addOption(add('--client-secret <secret>', 'its secret, or - to read standard input (or QSCOPE_CLIENT_SECRET)'))
    .addOption(add('--client-secret-file <path>', 'file with its secret'))
    .addOption(
      add(
        '--client-assertion-file <path>',
        'file with the token of its platform, read for each call (or QSCOPE_CLIENT_ASSERTION_FILE)',
      ),
    )
}

export interface PageOptions {
  readonly pageSize?: number
  readonly pageToken?: string
}

export function withPaging(command: Command): Command {
  return command
    .option('--page-size <n>', 'maximum number of results (default 50)', wholeNumber)
    .option('--page-token <token>', 'continue a list')
}

/** An option that may be repeated. */
export function repeated(flags: string, description: string): Option {
  return new Option(flags, `${description} (may be repeated)`).argParser(
    (value: string, before: readonly string[] | undefined) => [...(before ?? []), value],
  )
}

/** The same, with a fixed set of values. */
export function repeatedChoice<Value extends string>(
  flags: string,
  description: string,
  values: readonly Value[],
): Option {
  return repeated(flags, description)
    .choices(values)
    .argParser((text: string, before: readonly Value[] | undefined) => {
      const found = values.find((value) => value === text)
      if (found === undefined) throw new InvalidArgumentError(`It should be one of ${values.join(', ')}.`)
      return [...new Set([...(before ?? []), found])]
    })
}

/** An option whose values are those of an enum, in lower case. */
export function choice<Value extends number>(flags: string, description: string, type: GenEnum<Value>): Option {
  return new Option(flags, description).choices(namesOf(type)).argParser((name: string) => numberOf(type, name))
}

export function choices<Value extends number>(flags: string, description: string, type: GenEnum<Value>): Option {
  return new Option(flags, `${description} (may be repeated)`)
    .choices(namesOf(type))
    .argParser((name: string, before: readonly Value[] | undefined) => [...(before ?? []), numberOf(type, name)])
}

/** The name of an enum's value on the command line. */
export function nameOf(type: DescEnum, value: number): string {
  return type.value[value]?.localName.toLowerCase() ?? String(value)
}

function namesOf(type: DescEnum): readonly string[] {
  return type.values.filter(({ number }) => number !== 0).map(({ localName }) => localName.toLowerCase())
}

function numberOf<Value extends number>(type: GenEnum<Value>, name: string): Value {
  const found = type.values.find(
    ({ number, localName }) => number !== 0 && localName.toLowerCase() === name.toLowerCase(),
  )
  if (found === undefined) throw new InvalidArgumentError(`It should be one of ${namesOf(type).join(', ')}.`)
  // The numbers come from the enum's descriptor.
  return found.number as Value
}

export function address(text: string): Address {
  const parsed = parseAddress(text)
  if (parsed === null || parsed.port === 0) throw new InvalidArgumentError('It should be host:port.')
  return parsed
}

export function wholeNumber(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('It should be a whole number.')
  return Number(text)
}

export function duration(text: string): Duration {
  const ms = parseDuration(text)
  if (ms === null) throw new InvalidArgumentError('It should be a duration such as 30s, 10m or 1h.')
  return durationFromMs(ms)
}

/** Parses a moment in ISO 8601, or a duration before now. */
export function pointInTime(text: string): Timestamp {
  const ago = parseDuration(text)
  const ms = ago === null ? Date.parse(text) : Date.now() - ago
  if (Number.isNaN(ms)) throw new InvalidArgumentError('It should be an ISO 8601 time, or a duration ago such as 1h.')
  return timestampFromMs(ms)
}

export function keyValue(text: string, before: Readonly<Record<string, string>> | undefined): Record<string, string> {
  const at = text.indexOf('=')
  if (at < 1) throw new InvalidArgumentError('It should be key=value.')
  return { ...before, [text.slice(0, at)]: text.slice(at + 1) }
}

/** Removes `undefined` members. In a message they mean the same as absent ones. */
export function omitUndefined<T extends object>(fields: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  // The caller's optional members allow for absent ones.
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>
  }
}
