import { Server, status } from '@grpc/grpc-js'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Health } from '../../src/gen/grpc/health/v1/health_pb.ts'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { RegisterUserResponseSchema, UserService } from '../../src/gen/qscope/v1/user_service_pb.ts'
import { databaseKinds } from '../setup/fresh-database.ts'
import { byteMethod, grpcPortOf } from '../setup/grpc-servers.ts'
import { startServer, type TestServer } from '../setup/server.ts'
import { emptyFolder, qscope } from './process.ts'

const TIMEOUT = 60_000
const STEERING = 'a\u001b[2J\u009b2J\u202ebad\u200b\n\rqscope: forged'
const UNPRINTABLE = /[^\P{Cc}\n]|[\p{Cf}\p{DI}\p{Zl}\p{Zp}\p{Cs}]/u

describe('text that other callers stored', () => {
  let server: TestServer
  let proof: Record<string, string> = {}
  const asked = async (...args: string[]) => {
    const outcome = await qscope(emptyFolder(), [...args, '--server', server.address], proof)
    expect(outcome).toMatchObject({ code: 0, stderr: '' })
    expect(outcome.stdout).not.toMatch(UNPRINTABLE)
    return outcome.stdout
  }

  beforeAll(async () => {
    const [sqlite] = databaseKinds
    const database = await sqlite?.create()
    server = await startServer(database?.url ?? '')
    proof = { QSCOPE_CLIENT_ID: server.admin.clientId, QSCOPE_CLIENT_SECRET: server.admin.clientSecret }
    await server.registerClient({
      clientId: 'steering',
      displayName: STEERING,
      config: { metadata: { note: STEERING } },
    })
    const bearer = { bearer: server.admin.token }
    const registered: { readonly $typeName: string } = await server.call(
      UserService.method.registerUser,
      { externalId: STEERING },
      bearer,
    )
    expect(registered.$typeName).toBe(RegisterUserResponseSchema.typeName)
  }, TIMEOUT)
  afterAll(() => server.stop())

  test(
    'is escaped on a terminal, each cell in one line',
    async () => {
      const listed = await asked('client', 'list', '--prefix', 'steering')
      expect(listed).toContain('a\\u001b[2J\\u009b2J\\u202ebad\\u200b\\u000a\\u000dqscope: forged')
      expect(listed.trim().split('\n')).toHaveLength(2)
      expect(await asked('client', 'get', 'steering')).not.toMatch(/^qscope: forged/m)
      await asked('audit', 'list')
    },
    TIMEOUT,
  )

  test(
    'stays the same data in JSON',
    async () => {
      const { client } = JSON.parse(await asked('client', 'get', 'steering', '--json'))
      expect(client).toMatchObject({ displayName: STEERING, config: { metadata: { note: STEERING } } })
      const { clients } = JSON.parse(await asked('client', 'list', '--prefix', 'steering', '--json'))
      expect(clients).toMatchObject([{ displayName: STEERING }])
    },
    TIMEOUT,
  )
})

describe('the error message of an untrusted server', () => {
  const server = new Server()
  let address = ''

  beforeAll(async () => {
    const refuse = { code: status.INVALID_ARGUMENT, details: STEERING }
    server.addService(
      { mint: byteMethod(TokenService.method.mintToken), check: byteMethod(Health.method.check) },
      {
        mint: (_call: unknown, answer: (error: object) => void) => answer(refuse),
        check: (_call: unknown, answer: (error: object) => void) => answer(refuse),
      },
    )
    address = `127.0.0.1:${await grpcPortOf(server)}`
  })
  afterAll(() => server.forceShutdown())

  test.each([
    [['token', 'mint', '--client-id', 'a', '--client-secret', 'b']],
    [['client', 'list', '--client-id', 'a', '--client-secret', 'b', '--json']],
    [['health']],
  ])(
    'is escaped on a terminal, in one line: %j',
    async (args) => {
      const { code, stdout, stderr } = await qscope(emptyFolder(), [...args, '--server', address])
      expect(code).toBe(1)
      expect(stdout + stderr).not.toMatch(UNPRINTABLE)
      expect(stderr.trim().split('\n')).toHaveLength(1)
    },
    TIMEOUT,
  )
})

test(
  'a quoted argument is escaped',
  async () => {
    const { code, stderr } = await qscope(emptyFolder(), ['client', 'list', `--${STEERING}`])
    expect(code).toBe(2)
    expect(stderr).not.toMatch(UNPRINTABLE)
  },
  TIMEOUT,
)
