import {
  create,
  type DescMessage,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf'
import { anyUnpack } from '@bufbuild/protobuf/wkt'
import { type CallOptions, Client, credentials, Metadata, type ServiceError } from '@grpc/grpc-js'
import { pino } from 'pino'
import { afterAll, onTestFinished } from 'vitest'
import type { CallAuthorizer } from '../../../src/auth/authorize-call.ts'
import { epochMs } from '../../../src/domain/ids.ts'
import {
  BadRequestSchema,
  ErrorInfoSchema,
  HelpSchema,
  RequestInfoSchema,
  RetryInfoSchema,
} from '../../../src/gen/google/rpc/error_details_pb.ts'
import { StatusSchema } from '../../../src/gen/google/rpc/status_pb.ts'
import { TokenService } from '../../../src/gen/qscope/v1/token_service_pb.ts'
import { fail } from '../../../src/results.ts'
import { Pipeline } from '../../../src/rpc/pipeline.ts'
import { type Route, route, type ServiceHandlers } from '../../../src/rpc/routes.ts'
import { ServingState } from '../../../src/rpc/serving-state.ts'
import { GrpcServer, type GrpcServerOptions } from '../../../src/transports/grpc/server.ts'
import { sqliteFiles } from '../../setup/fresh-database.ts'
import { startServer as startApplication } from '../../setup/server.ts'
import { testedTransport } from '../../setup/transport.ts'

/** The real application, which authenticates callers; each test has its own handlers. */
export interface Harness {
  readonly authorizer: CallAuthorizer
  /** The secret of the client `orders`. */
  readonly goodSecret: string
  /** A bearer token with the permission to list tokens. */
  readonly goodBearer: string
  /** A gRPC server with these routes, until the end of the test. */
  readonly startServer: (
    routes: readonly Route[],
    more?: Partial<GrpcServerOptions>,
  ) => Promise<Awaited<ReturnType<typeof startGrpc>>>
}

/** For the test file that calls it: what it starts ends with the file. */
export async function openHarness(): Promise<Harness> {
  const database = await sqliteFiles.createMigrated()
  const application = await startApplication(database.url)
  afterAll(async () => {
    await application.stop()
    await database.drop()
  })
  const orders = await application.registerClient({ clientId: 'orders', scopes: ['qscope:tokens.read'] })
  const minted = await application.call(TokenService.method.mintToken, { client: orders.client })
  const { authorizer } = application.app
  return {
    authorizer,
    goodSecret: orders.clientSecret,
    goodBearer: minted.token?.accessToken ?? '',
    startServer: (routes, more) => startGrpc(authorizer, routes, more),
  }
}

const unanswered = async () => fail('oauth.server_error')

/** The real service, with the handlers of a test; the others fail. */
export function tokenRoutes(handlers: Partial<ServiceHandlers<typeof TokenService>> = {}): readonly Route[] {
  return route(TokenService, {
    mintToken: unanswered,
    batchMintTokens: unanswered,
    verifyToken: unanswered,
    introspectToken: unanswered,
    batchIntrospectTokens: unanswered,
    explainToken: unanswered,
    revokeToken: unanswered,
    revokeLeakedToken: unanswered,
    createAuthorizationCode: unanswered,
    exchangeAuthorizationCode: unanswered,
    refreshToken: unanswered,
    exchangeToken: unanswered,
    exchangeAssertion: unanswered,
    listTokens: unanswered,
    listGrants: unanswered,
    revokeTokens: unanswered,
    pollRevocations: unanswered,
    getProtectedResourceMetadata: unanswered,
    getJsonWebKeySet: unanswered,
    ...handlers,
  })
}

async function startGrpc(authorizer: CallAuthorizer, routes: readonly Route[], more: Partial<GrpcServerOptions> = {}) {
  const lines: Record<string, unknown>[] = []
  const log = pino({ level: 'debug' }, { write: (line: string) => void lines.push(JSON.parse(line)) })
  const state = new ServingState()
  const pipeline = new Pipeline({
    routes,
    authorizer,
    log,
    now: () => epochMs(Date.now()),
    isDraining: () => state.draining,
  })
  const server = new GrpcServer({
    listen: { host: '127.0.0.1', port: 0 },
    transport: await testedTransport(),
    pipeline,
    state,
    log,
    newRayId: () => 'fresh-ray-id',
    jitter: () => 0.5,
    helpBase: 'http://127.0.0.1/docs/errors',
    ...more,
  })
  const { port } = await server.start()
  const address = `127.0.0.1:${port}`
  const client = new Client(address, credentials.createInsecure(), { 'grpc.max_send_message_length': -1 })
  onTestFinished(async () => {
    client.close()
    await server.stop(0)
  })
  return { server, state, pipeline, client, address, port, lines }
}

interface UnaryMethod<I extends DescMessage, O extends DescMessage> {
  readonly parent: { readonly typeName: string }
  readonly name: string
  readonly input: I
  readonly output: O
}

export interface Answer<O extends DescMessage> {
  readonly message: MessageShape<O> | null
  readonly error: ServiceError | null
  readonly header: Metadata
}

/** Calls with a stock client; `request` may be raw bytes. */
export function call<I extends DescMessage, O extends DescMessage>(
  client: Client,
  method: UnaryMethod<I, O>,
  request: MessageInitShape<I> | Uint8Array,
  sent: Readonly<Record<string, string>> = {},
  options: CallOptions & { readonly signal?: AbortSignal } = {},
): Promise<Answer<O>> {
  return new Promise((resolve) => {
    let header = new Metadata()
    const metadata = new Metadata()
    for (const [key, value] of Object.entries(sent)) metadata.set(key, value)
    const running = client.makeUnaryRequest(
      `/${method.parent.typeName}/${method.name}`,
      (bytes: Uint8Array) => Buffer.from(bytes),
      (bytes: Buffer) => fromBinary(method.output, bytes),
      request instanceof Uint8Array ? request : toBinary(method.input, create(method.input, request)),
      metadata,
      options,
      (error, message) => setImmediate(() => resolve({ error, message: message ?? null, header })),
    )
    running.on('metadata', (received) => {
      header = received
    })
    options.signal?.addEventListener('abort', () => running.cancel())
  })
}

/** The google.rpc details of a failed call. */
export function detailsOf(error: ServiceError | null) {
  const [encoded] = error?.metadata.get('grpc-status-details-bin') ?? []
  if (!Buffer.isBuffer(encoded)) return null
  const { details, code, message } = fromBinary(StatusSchema, encoded)
  const find = <D extends DescMessage>(schema: D): MessageShape<D> | undefined =>
    details.map((detail) => anyUnpack(detail, schema)).find((each) => each !== undefined)
  return {
    code,
    message,
    info: find(ErrorInfoSchema),
    request: find(RequestInfoSchema),
    help: find(HelpSchema),
    retry: find(RetryInfoSchema),
    violations: find(BadRequestSchema)?.fieldViolations.map(({ field, description }) => ({ field, description })),
  }
}
