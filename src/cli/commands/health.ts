import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { durationMs } from '@bufbuild/protobuf/wkt'
import { Client, type ServiceError, status } from '@grpc/grpc-js'
import { Command } from 'commander'
import { formatAddress } from '../../config/address.ts'
import {
  Health,
  type HealthCheckRequest,
  HealthCheckResponse_ServingStatus as Serving,
  HealthCheckResponse_ServingStatusSchema as ServingSchema,
} from '../../gen/grpc/health/v1/health_pb.ts'
import { configuredEndpoint, endpointAt, type ServerEndpoint, whyUnreachable } from '../connection/endpoint.ts'
import { readConfig } from '../connection/environment.ts'
import { targetOf } from '../connection/target.ts'
import { address, type ConnectionOptions, duration } from '../options/options.ts'
import { withOutput } from '../options/output-options.ts'
import { Output } from '../output/output.ts'

interface Options
  extends Pick<
    ConnectionOptions,
    'output' | 'server' | 'context' | 'local' | 'plaintext' | 'tls' | 'caFile' | 'certFile' | 'keyFile'
  > {
  readonly service?: string
  readonly alive?: true
  readonly timeout?: ReturnType<typeof duration>
}

const DEFAULT_TIMEOUT = duration('5s')

export function healthCommand(): Command {
  return withOutput(new Command('health'))
    .description('check whether a server serves; exit code 1 if it does not')
    .option('--server <host:port>', 'check this server (or QSCOPE_SERVER)', address)
    .option('--context <name>', 'check the server of this context (or QSCOPE_CONTEXT)')
    .option('--local', 'check the server at QSCOPE_GRPC_LISTEN, even if another server is set')
    .option('--service <name>', 'check this service, such as qscope.v1.TokenService (default: the whole server)')
    .option('--alive', 'accept any answer, for liveness probes: a server without its database needs no restart')
    .option('--timeout <duration>', 'how long to wait (default 5s)', duration)
    .option('--tls', 'use TLS, with a certificate that this machine trusts')
    .option('--ca-file <path>', 'use TLS, with a certificate of this CA')
    .option('--cert-file <path>', 'client certificate to present to the server')
    .option('--key-file <path>', 'its private key')
    .option('--plaintext', 'use plaintext (the default); no secret is sent')
    .action(run)
}

async function run(options: Options): Promise<void> {
  const { service = '', timeout = DEFAULT_TIMEOUT, alive = false } = options
  // No secret is sent, so plaintext is allowed to any host.
  const target = targetOf(options, endpointAt)
  const endpoint = target.kind === 'server' ? target.endpoint : configuredEndpoint(readConfig())
  const where = formatAddress(endpoint.address)
  const answer = await check(endpoint, service, durationMs(timeout))
  const name = ServingSchema.value[answer]?.name ?? String(answer)
  new Output(options).answer({
    document: () => ({ server: where, service, status: name }),
    text: () => name,
    names: () => [where],
  })
  if (!alive && answer !== Serving.SERVING) process.exitCode = 1
}

async function check(endpoint: ServerEndpoint, service: string, timeoutMs: number): Promise<Serving> {
  const client = new Client(formatAddress(endpoint.address), endpoint.channel, endpoint.options)
  const { promise, resolve, reject } = Promise.withResolvers<Serving>()
  client.makeUnaryRequest(
    `/${Health.typeName}/${Health.method.check.name}`,
    (message: HealthCheckRequest) => Buffer.from(toBinary(Health.method.check.input, message)),
    (bytes: Buffer) => fromBinary(Health.method.check.output, bytes),
    create(Health.method.check.input, { service }),
    { deadline: Date.now() + timeoutMs },
    (error, answer) => {
      if (error !== null) describeFailure(error, endpoint, service).then((text) => reject(new Error(text)), reject)
      else resolve(answer?.status ?? Serving.UNKNOWN)
    },
  )
  return await promise.finally(() => client.close())
}

async function describeFailure(error: ServiceError, endpoint: ServerEndpoint, service: string): Promise<string> {
  const server = formatAddress(endpoint.address)
  if (error.code === status.NOT_FOUND) return `the server at ${server} has no service ${service}`
  if (error.code === status.DEADLINE_EXCEEDED) return `the server at ${server} does not answer in time`
  if (error.code !== status.UNAVAILABLE)
    return `the server at ${server} refuses the health check: ${error.details.trim()}`
  return (await whyUnreachable(endpoint)) ?? `no server answers at ${server}: ${error.details.trim()}`
}
