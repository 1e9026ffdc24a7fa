import { text } from 'node:stream/consumers'
import { create, createRegistry, fromBinary, toJson, toJsonString } from '@bufbuild/protobuf'
import { type Any, AnySchema, anyUnpack } from '@bufbuild/protobuf/wkt'
import { status as statusCodes } from '@grpc/grpc-js'
import { Command } from 'commander'
import { z } from 'zod'
import { file_google_rpc_error_details } from '../../gen/google/rpc/error_details_pb.ts'
import { type Status, StatusSchema } from '../../gen/google/rpc/status_pb.ts'
import { UsageError } from '../options/options.ts'
import { type OutputOptions, withOutput } from '../options/output-options.ts'
import { Output } from '../output/output.ts'
import { writeNotice } from '../output/terminal.ts'

/** The message types that status details may have. */
const STATUS_DETAILS = createRegistry(file_google_rpc_error_details)

const BASE64 = /^[A-Za-z0-9+/_-]+={0,2}$/

/** An error as Connect writes it in JSON, and `buf curl` with it. */
const ConnectError = z.object({
  code: z.string(),
  message: z.string().default(''),
  details: z.array(z.object({ type: z.string(), value: z.string().regex(BASE64) })).default([]),
})

export function decodeStatusCommand(): Command {
  return withOutput(new Command('decode-status'))
    .description('decode an error printed by buf curl, or the value of grpc-status-details-bin')
    .argument('[error]', 'the error (default: standard input)')
    .action(async (error: string | undefined, options: OutputOptions) => {
      if (error === undefined && process.stdin.isTTY === true) {
        writeNotice('Paste the error, and end it with Ctrl-D on a line of its own\n')
      }
      const status = parseStatus(error ?? (await text(process.stdin)))
      if (status === null) {
        throw new UsageError(
          'the input is neither an error as buf curl prints it nor a grpc-status-details-bin in base64',
        )
      }
      new Output(options).answer({
        document: () => toJson(StatusSchema, status, { registry: STATUS_DETAILS }),
        text: () => describeStatus(status),
        names: () => [statusName(status)],
      })
    })
}

/** Parses a Connect error in JSON, ignoring text around it, or a `grpc-status-details-bin`. `null`: it is neither. */
export function parseStatus(text: string): Status | null {
  const [begin, end] = [text.indexOf('{'), text.lastIndexOf('}')]
  return begin < 0 || end < begin ? statusOfTrailer(text.trim()) : statusOfConnect(text.slice(begin, end + 1))
}

function statusName({ code }: Pick<Status, 'code'>): string {
  return statusCodes[code] ?? String(code)
}

/** A line for the status and one for each detail. */
function describeStatus({ code, message, details }: Status): string {
  return [`${statusName({ code })}: ${message}`, ...details.map(describeDetail)].join('\n')
}

function describeDetail(detail: Any): string {
  const name = detail.typeUrl.slice(detail.typeUrl.lastIndexOf('/') + 1)
  const schema = STATUS_DETAILS.getMessage(name)
  const message = schema === undefined ? undefined : anyUnpack(detail, schema)
  if (schema === undefined || message === undefined) return `${name} (${detail.value.length} bytes)`
  return `${schema.name} ${toJsonString(schema, message)}`
}

function statusOfConnect(json: string): Status | null {
  const parsed = ConnectError.safeParse(jsonOf(json))
  if (!parsed.success) return null
  const { code, message, details } = parsed.data
  const named = Object.entries(statusCodes).find(([name]) => name === code.toUpperCase())
  return create(StatusSchema, {
    code: Number(named?.[1] ?? statusCodes.UNKNOWN),
    message,
    details: details.map(({ type, value }) =>
      create(AnySchema, { typeUrl: `type.googleapis.com/${type}`, value: Buffer.from(value, 'base64') }),
    ),
  })
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

function statusOfTrailer(text: string): Status | null {
  if (!BASE64.test(text)) return null
  try {
    return fromBinary(StatusSchema, Buffer.from(text, 'base64'))
  } catch {
    return null
  }
}
