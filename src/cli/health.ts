import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { durationMs } from '@bufbuild/protobuf/wkt'
import { Client, type ServiceError, status } from '@grpc/grpc-js'
import { Command } from 'commander'
import { formatAddress } from '../config/address.ts'
import {
  Health,
  type HealthCheckRequest,
  HealthCheckResponse_ServingStatus as Serving,
  HealthCheckResponse_ServingStatusSchema as ServingSchema,
} from '../gen/grpc/health/v1/health_pb.ts'
import { type WayToServer, wayTo, whyUnreachable } from './channel.ts'
import { readConfig } from './environment.ts'
import { address, type ConnectionOptions, duration } from './options.ts'
import { createOutput } from './output.ts'
import { ownServer } from './own-server.ts'

interface Options
  extends Pick<ConnectionOptions, 'json' | 'server' | 'plaintext' | 'tls' | 'caFile' | 'certFile' | 'keyFile'> {
  readonly service?: string
  readonly alive?: true
  readonly timeout?: ReturnType<typeof duration>
}

const PATIENCE = duration('5s')

export function health(): Command {
  return new Command('health')
    .description('ask a server whether it serves; exit code 1 if it does not, or does not answer')
    .option('--server <host:port>', 'ask this server instead of the one that this environment configures', address)
    .option('--service <name>', 'about this service, such as qscope.v1.TokenService (default: the server as a whole)')
    .option('--alive', 'be content with any answer: for liveness, as a server without its database needs no restart')
    .option('--timeout <duration>', 'how long to wait (default 5s)', duration)
    .option('--tls', 'over TLS, with a certificate that this machine trusts')
    .option('--ca-file <path>', 'over TLS, with a certificate that this CA issued')
    .option('--cert-file <path>', 'the certificate to show to the server')
    .option('--key-file <path>', 'its private key')
    .option('--plaintext', 'unencrypted, which is the default: nothing secret is sent')
    .option('--json', 'print one JSON document')
    .action(run)
}

async function run(options: Options): Promise<void> {
  const { server, service = '', timeout = PATIENCE, alive = false, json = false } = options
  const asked = server === undefined ? ownServer(readConfig()) : wayTo(server, options)
  const where = formatAddress(asked.address)
  const answer = await check(where, asked, service, durationMs(timeout))
  const name = ServingSchema.value[answer]?.name ?? String(answer)
  createOutput(json).answer(
    () => ({ server: where, service, status: name }),
    () => name,
  )
  if (!alive && answer !== Serving.SERVING) process.exitCode = 1
}

async function check(server: string, way: WayToServer, service: string, waitMs: number): Promise<Serving> {
  const client = new Client(server, way.channel, way.options)
  const { promise, resolve, reject } = Promise.withResolvers<Serving>()
  client.makeUnaryRequest(
    `/${Health.typeName}/${Health.method.check.name}`,
    (message: HealthCheckRequest) => Buffer.from(toBinary(Health.method.check.input, message)),
    (bytes: Buffer) => fromBinary(Health.method.check.output, bytes),
    create(Health.method.check.input, { service }),
    { deadline: Date.now() + waitMs },
    (error, answer) => {
      if (error !== null) troubleOf(error, way, service).then((trouble) => reject(new Error(trouble)), reject)
      else resolve(answer?.status ?? Serving.UNKNOWN)
    },
  )
  return await promise.finally(() => client.close())
}

async function troubleOf(error: ServiceError, way: WayToServer, service: string): Promise<string> {
  const server = formatAddress(way.address)
  if (error.code === status.NOT_FOUND) return `the server at ${server} has no service ${service}`
  if (error.code === status.DEADLINE_EXCEEDED) return `the server at ${server} does not answer in time`
  if (error.code !== status.UNAVAILABLE) return `the server at ${server} refuses the question: ${error.details.trim()}`
  return (await whyUnreachable(way)) ?? `no server answers at ${server}: ${error.details.trim()}`
}
