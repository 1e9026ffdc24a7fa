import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import type { MessageInitShape } from '@bufbuild/protobuf'
import { expect, onTestFinished } from 'vitest'
import { ClientType, GrantType } from '../../src/gen/qscope/v1/client_pb.ts'
import { ClientService, type RegisterClientRequestSchema } from '../../src/gen/qscope/v1/client_service_pb.ts'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { connect } from '../setup/client.ts'
import { freePort } from '../setup/free-port.ts'
import type { DatabaseKind } from '../setup/fresh-database.ts'
import { qscope, run, temporaryDirectory } from './process.ts'

export type RestartableServer = Awaited<ReturnType<typeof restartableServer>>

/** A server process that can be restarted on the same port, database and keyring. */
export async function restartableServer(kind: DatabaseKind, variables: Readonly<Record<string, string>> = {}) {
  const directory = await temporaryDirectory()
  const database = await kind.create()
  onTestFinished(() => database.drop())
  const port = await freePort()
  const address = `127.0.0.1:${port}`
  const env = {
    QSCOPE_DATABASE_URL: database.url,
    QSCOPE_KEYRING_FILE: join(directory, 'keyring.json'),
    QSCOPE_GRPC_LISTEN: address,
    QSCOPE_LOG_LEVEL: 'warn',
    ...variables,
  }
  const migrated = await run(directory, ['migrate', 'up'], env)
  expect(migrated).toMatchObject({ code: 0 })
  const made = await run(directory, ['client', 'create', '--admin', '--json'], env)
  const { client: registered, clientSecret } = JSON.parse(made.stdout)
  const secretOf = (clientId: string, value: string) => ({
    clientId,
    method: { case: 'clientSecret' as const, value },
  })
  const admin = { client: secretOf(registered.clientId, clientSecret), token: '' }
  let connection = connect(address, { ownSocket: true })
  onTestFinished(() => connection.close())

  return {
    address,
    admin,
    database,
    call: ((method, request, sent) => connection.call(method, request, sent)) as typeof connection.call,
    stream: ((method, request, sent) => connection.stream(method, request, sent)) as typeof connection.stream,
    unique: (prefix: string) => prefix + randomBytes(6).toString('hex'),
    /** Starts a process; resolves when it listens. Later calls go to it. */
    async start() {
      const server = qscope(directory, ['serve'], env)
      onTestFinished(async () => {
        server.child.kill('SIGKILL')
        await server.ended
      })
      await server.until(/listens on/)
      // A connection that lost its server would wait before it reconnects.
      connection.close()
      connection = connect(address, { ownSocket: true })
      const minted = await connection.call(TokenService.method.mintToken, { client: admin.client })
      admin.token = minted.token?.accessToken ?? ''
      return server
    },
    /** Registers a client, by default a confidential one for client credentials. */
    async registerClient(wanted: MessageInitShape<typeof RegisterClientRequestSchema>) {
      const request = { type: ClientType.CONFIDENTIAL, grantTypes: [GrantType.CLIENT_CREDENTIALS], ...wanted }
      const answer = await connection.call(ClientService.method.registerClient, request, { bearer: admin.token })
      const clientId = answer.client?.clientId ?? ''
      return { clientId, clientSecret: answer.clientSecret, client: secretOf(clientId, answer.clientSecret) }
    },
    /** Runs the command line on the same database. */
    command: (...args: readonly string[]) => run(directory, args, env),
  }
}
