import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import type { DescMessage, DescMethodServerStreaming, DescMethodUnary, MessageInitShape } from '@bufbuild/protobuf'
import { expect, onTestFinished } from 'vitest'
import { ClientType, GrantType } from '../../src/gen/qscope/v1/client_pb.ts'
import { ClientService, type RegisterClientRequestSchema } from '../../src/gen/qscope/v1/client_service_pb.ts'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { qscope, run, temporaryDirectory } from '../e2e/process.ts'
import { type Connection, connect, type Sent } from '../setup/client.ts'
import { freePort } from '../setup/free-port.ts'
import type { CalledServer } from '../setup/grants.ts'

export const ISSUER = 'https://qscope.test'
/** Longer than any test, so that one token is enough for the administrator. */
const DAY = { seconds: 86_400n }
/** High, for a busy machine: unanswered calls end when their server is killed. */
const DEADLINE_MS = 90_000

const secretOf = (clientId: string, value: string) => ({
  clientId,
  method: { case: 'clientSecret' as const, value },
})

/** A process of `qscope serve` that can be killed, and restarted on the same port. */
export class Instance implements CalledServer {
  readonly address: string
  /** Shared by all instances on one database. */
  readonly admin: { token: string }
  readonly #launch: () => ReturnType<typeof qscope>
  #connection: Connection
  #running: ReturnType<typeof qscope> | null = null

  constructor(address: string, admin: { token: string }, launch: () => ReturnType<typeof qscope>) {
    this.address = address
    this.admin = admin
    this.#launch = launch
    this.#connection = connect(address, { ownSocket: true })
  }

  /** Starts the process; resolves when it listens. Later calls go to it. */
  async start(): Promise<void> {
    this.#running = this.#launch()
    await this.#running.until(/listens on/)
    // A connection that lost its server would wait before it reconnects.
    this.#connection.close()
    this.#connection = connect(this.address, { ownSocket: true })
  }

  /** Kills it, as a power cut would. */
  async kill(): Promise<void> {
    if (this.#running === null) return
    this.#running.child.kill('SIGKILL')
    expect((await this.#running.ended).signal).toBe('SIGKILL')
    this.#running = null
  }

  /** Stops it gracefully. */
  async stop(): Promise<void> {
    if (this.#running === null) return
    this.#running.child.kill('SIGTERM')
    expect(await this.#running.ended).toEqual({ code: 0, signal: null })
    this.#running = null
  }

  /** Ends the calls to it. */
  close(): void {
    this.#connection.close()
  }

  call<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageInitShape<I>,
    sent?: Sent,
  ) {
    return this.#connection.call(method, request, { deadlineMs: DEADLINE_MS, ...sent })
  }

  stream<I extends DescMessage, O extends DescMessage>(
    method: DescMethodServerStreaming<I, O>,
    request: MessageInitShape<I>,
    sent?: Sent,
  ) {
    return this.#connection.stream(method, request, sent)
  }

  /** A name that no other test uses. */
  unique(prefix: string): string {
    return prefix + randomBytes(6).toString('hex')
  }

  /** Registers a client, by default a confidential one for client credentials. */
  async registerClient(wanted: MessageInitShape<typeof RegisterClientRequestSchema>) {
    const request = { type: ClientType.CONFIDENTIAL, grantTypes: [GrantType.CLIENT_CREDENTIALS], ...wanted }
    const answer = await this.call(ClientService.method.registerClient, request, { bearer: this.admin.token })
    const clientId = answer.client?.clientId ?? ''
    return { clientId, clientSecret: answer.clientSecret, client: secretOf(clientId, answer.clientSecret) }
  }
}

/** Migrates the database, creates an administrator, and starts an instance for each URL. */
export async function startInstances(databaseUrls: readonly string[]): Promise<readonly Instance[]> {
  const directory = await temporaryDirectory()
  const environment = (databaseUrl: string, address: string) => ({
    QSCOPE_DATABASE_URL: databaseUrl,
    QSCOPE_KEYRING_FILE: join(directory, 'keyring.json'),
    QSCOPE_GRPC_LISTEN: address,
    QSCOPE_ISSUER: ISSUER,
    QSCOPE_LOG_LEVEL: 'warn',
    // A few clients mint all tokens.
    QSCOPE_MINT_RATE: 'off',
  })
  const [first = ''] = databaseUrls
  const there = environment(first, '127.0.0.1:0')
  expect(await run(directory, ['migrate', 'up'], there)).toMatchObject({ code: 0 })
  const made = await run(directory, ['client', 'create', '--admin', '--json'], there)
  const { client: registered, clientSecret } = JSON.parse(made.stdout)
  const admin = { token: '' }
  const instances: Instance[] = []
  for (const databaseUrl of databaseUrls) {
    const address = `127.0.0.1:${await freePort()}`
    instances.push(new Instance(address, admin, () => qscope(directory, ['serve'], environment(databaseUrl, address))))
  }
  onTestFinished(async () => {
    for (const instance of instances) instance.close()
    await Promise.all(instances.map((instance) => instance.kill()))
  })
  await Promise.all(instances.map((instance) => instance.start()))
  const [one] = instances
  if (one === undefined) throw new Error('an instance needs the URL of a database')
  admin.token = await tokenOfADay(one, registered.clientId, clientSecret)
  return instances
}

async function tokenOfADay(on: Instance, clientId: string, clientSecret: string): Promise<string> {
  const client = secretOf(clientId, clientSecret)
  const mint = async () => (await on.call(TokenService.method.mintToken, { client })).token?.accessToken ?? ''
  const update = { client: { clientId, config: { accessTokenTtl: DAY } } }
  await on.call(ClientService.method.updateClient, update, { bearer: await mint() })
  return await mint()
}
