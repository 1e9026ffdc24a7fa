import { randomBytes } from 'node:crypto'
import type { MessageInitShape } from '@bufbuild/protobuf'
import { credentials } from '@grpc/grpc-js'
import { pino } from 'pino'
import { openApp } from '../../src/app/app.ts'
import { FirstAdmin, seedOf } from '../../src/app/database-setup.ts'
import { assertPortFree, grpcLimitsOf, helpBaseOf, openHttpServer } from '../../src/app/listeners.ts'
import { AppState, openConfiguredTelemetry } from '../../src/app/telemetry.ts'
import { TlsFiles } from '../../src/app/trust/tls-files.ts'
import { trustedProxiesOf } from '../../src/app/trust/trusted-proxies.ts'
import { parseConfig } from '../../src/config/config.ts'
import { readEnvironment } from '../../src/config/environment.ts'
import { drawKeyMaterial, Keyring } from '../../src/crypto/keyring.ts'
import { jitter, uuidV7 } from '../../src/crypto/random.ts'
import { drawToken } from '../../src/crypto/token.ts'
import { epochMs } from '../../src/domain/ids.ts'
import {
  type AuditEvent,
  AuditService,
  type ListAuditEventsRequestSchema,
} from '../../src/gen/qscope/v1/audit_service_pb.ts'
import { ClientType, GrantType } from '../../src/gen/qscope/v1/client_pb.ts'
import { ClientService, type RegisterClientRequestSchema } from '../../src/gen/qscope/v1/client_service_pb.ts'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { openMigrations } from '../../src/stores/open.ts'
import { GrpcServer } from '../../src/transports/grpc/server.ts'
import { connect, decodeDetails } from './client.ts'
import { testedTransport } from './transport.ts'

const ISSUER = 'http://127.0.0.1:50051'

export type TestServer = Awaited<ReturnType<typeof startServer>>

/**
 * The real application on a real database and port, called by a stock client. Only its clock is replaced, so that tests can
 * advance it.
 */
export async function startServer(
  databaseUrl: string,
  keyring = new Keyring(drawKeyMaterial()),
  /** The administrator of the first instance, for further instances on the same database. */
  first = new FirstAdmin(keyring),
  /** Additional environment variables. */
  variables: Readonly<Record<string, string>> = {},
  /** The credentials of the channel of `call`. Default: plaintext. */
  channel = credentials.createInsecure(),
) {
  const lines: Record<string, unknown>[] = []
  const log = pino({ level: 'debug' }, { write: (line: string) => void lines.push(JSON.parse(line)) })
  const migrations = await openMigrations(databaseUrl, log)
  await migrations.up({ seed: seedOf(first, keyring) })
  await migrations.close()

  const environment = readEnvironment({
    QSCOPE_DATABASE_URL: databaseUrl,
    QSCOPE_KEYRING_FILE: '/nowhere',
    QSCOPE_ISSUER: ISSUER,
    ...variables,
  })
  let ahead = 0
  let stoppedAt: number | null = null
  const clock = {
    now: () => epochMs(stoppedAt ?? Date.now() + ahead),
    advance: (ms: number) => {
      ahead += ms
    },
    /** Stops the clock at a moment. */
    stopAt: (ms: number) => {
      stoppedAt = ms
    },
  }
  const parsed = parseConfig(environment)
  // Links to the HTTP port are needed before it is open.
  const httpConfig = parsed.http && {
    ...parsed.http,
    listen: await assertPortFree('QSCOPE_HTTP_LISTEN', parsed.http.listen),
  }
  const config = { ...parsed, http: httpConfig }
  const tls = config.tls === null ? null : await TlsFiles.open(config.tls, log)
  const telemetry = await openConfiguredTelemetry(config, log)
  const app = await openApp(config, log, keyring, {
    now: clock.now,
    observers: telemetry,
    trustedProxies: trustedProxiesOf(config, tls),
  })
  telemetry.watch(new AppState(app, log))
  const server = new GrpcServer({
    listen: { host: '127.0.0.1', port: 0 },
    socket: config.sockets.grpc,
    transport: await testedTransport(),
    pipeline: app.pipeline,
    state: app.state,
    log,
    newRayId: uuidV7,
    jitter,
    helpBase: helpBaseOf(config),
    limits: grpcLimitsOf(config),
    incoming: app.incoming,
    scheduler: app.scheduler,
    tls,
  })
  const { port } = await server.start()
  const http = await openHttpServer({ config, app, tls, log, metrics: () => telemetry.metrics() })
  const httpPort = http === null ? null : (await http.start()).port
  app.state.setServing(true)
  const address = `127.0.0.1:${port}`
  const connection = connect(address, { channel })

  const client = (clientId: string, secret: string) => ({
    clientId,
    method: { case: 'clientSecret' as const, value: secret },
  })
  const adminClient = client(first.clientId, first.clientSecret)
  const minted = await connection.call(TokenService.method.mintToken, {
    client: adminClient,
    lifetime: { seconds: 3_600n },
  })
  const admin = {
    clientId: first.clientId,
    clientSecret: first.clientSecret,
    client: adminClient,
    token: minted.token?.accessToken ?? '',
  }

  return {
    app,
    address,
    /** The URL of the HTTP port, if the variables enable it. */
    httpUrl: `${tls === null ? 'http' : 'https'}://127.0.0.1:${httpPort}`,
    issuer: ISSUER,
    admin,
    clock,
    keyring,
    first,
    /** The log lines so far. */
    lines,
    telemetry,
    call: connection.call,
    stream: connection.stream,
    decode: decodeDetails,
    /** A name that no other test uses. */
    unique: (prefix: string) => prefix + randomBytes(6).toString('hex'),
    /** A well-formed token that was not issued. */
    unknownToken: () => drawToken('access'),
    /** Registers a confidential client for client credentials by default. */
    async registerClient(wanted: MessageInitShape<typeof RegisterClientRequestSchema>) {
      const request = { type: ClientType.CONFIDENTIAL, grantTypes: [GrantType.CLIENT_CREDENTIALS], ...wanted }
      const answer = await connection.call(ClientService.method.registerClient, request, { bearer: admin.token })
      const clientId = answer.client?.clientId ?? ''
      return { clientId, clientSecret: answer.clientSecret, client: client(clientId, answer.clientSecret) }
    },
    async introspectAll(caller: ReturnType<typeof client>, tokens: string[]): Promise<boolean[]> {
      const { results } = await connection.call(TokenService.method.batchIntrospectTokens, { client: caller, tokens })
      return results.map(({ active }) => active)
    },
    /** All matching events, newest first. */
    async auditEvents(filter: MessageInitShape<typeof ListAuditEventsRequestSchema>): Promise<AuditEvent[]> {
      const events: AuditEvent[] = []
      let pageToken = ''
      do {
        const request = { ...filter, pageSize: 1_000, pageToken }
        const page = await connection.call(AuditService.method.listAuditEvents, request, { bearer: admin.token })
        events.push(...page.events)
        pageToken = page.nextPageToken
      } while (pageToken !== '')
      return events
    },
    /** Waits for background writes. */
    flush: () => app.flush(),
    async stop() {
      connection.close()
      tls?.stop()
      await Promise.all([server.stop(1_000), http?.stop(1_000)])
      await app.close()
      await telemetry.close(1_000)
    },
  }
}
