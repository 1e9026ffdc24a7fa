import { syncBuiltinESMExports } from 'node:module'
import threads from 'node:worker_threads'
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest'
import { AuthenticationMethod, ClientType, GrantType } from '../../src/gen/qscope/v1/client_pb.ts'
import { ClientService } from '../../src/gen/qscope/v1/client_service_pb.ts'
import { DeviceService } from '../../src/gen/qscope/v1/device_service_pb.ts'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { refusalOf } from '../setup/client.ts'
import { sqliteFiles } from '../setup/fresh-database.ts'
import { grantsOn } from '../setup/grants.ts'
import { startServer } from '../setup/server.ts'

/** Made by libxcrypt. */
const BCRYPT = Object.freeze({
  secret: 'hydra-old-secret-1',
  hash: '$2b$10$abcdefghijklmnopqrstuuQ.BATMQVqU1dBOlzcnzdIpId2LdmP5S',
})

/** Threads are as ever, but those that verify bcrypt may die before they answer, as where memory is short. */
const bcrypt = { dies: false }
const { Worker } = threads

beforeAll(() => {
  threads.Worker = class extends Worker {
    constructor(file: string | URL, options?: threads.WorkerOptions) {
      const isDying = bcrypt.dies && String(file).includes('bcrypt-thread')
      super(isDying ? new URL('data:text/javascript,process.exit(1)') : file, options)
    }
  }
  syncBuiltinESMExports()
})

afterAll(() => {
  threads.Worker = Worker
  syncBuiltinESMExports()
})

async function given(variables: Record<string, string> = {}) {
  const database = await sqliteFiles.create()
  const server = await startServer(database.url, undefined, undefined, variables)
  onTestFinished(async () => {
    bcrypt.dies = false
    await server.stop()
    await database.drop()
  })
  return { server, database }
}

it('a secret that could not be verified does not count as a failure of its client', async () => {
  const { server } = await given({ QSCOPE_AUTHENTICATION_FAILURES_PER_CLIENT: '1/h:2' })
  const clientId = server.unique('imported-')
  const client = {
    ...{ clientId, importedSecretHashes: [BCRYPT.hash], authenticationMethod: AuthenticationMethod.CLIENT_SECRET },
    ...{ type: ClientType.CONFIDENTIAL, grantTypes: [GrantType.CLIENT_CREDENTIALS] },
  }
  await server.call(ClientService.method.registerClient, client, { bearer: server.admin.token })
  const mint = (value: string) =>
    server.call(TokenService.method.mintToken, { client: { clientId, method: { case: 'clientSecret', value } } })
  bcrypt.dies = true
  for (let n = 0; n < 5; n += 1) {
    expect(await refusalOf(mint(BCRYPT.secret))).toMatchObject({ reason: 'OAUTH_SERVER_ERROR' })
  }
  bcrypt.dies = false
  expect(await refusalOf(mint('wrong'))).toMatchObject({ reason: 'OAUTH_INVALID_CLIENT' })
  expect((await mint(BCRYPT.secret)).token?.accessToken).toMatch(/^qat_/)
  for (let n = 0; n < 5; n += 1) await refusalOf(mint(`wrong ${n}`))
  expect(await refusalOf(mint('wrong again'))).toMatchObject({ reason: 'LIMIT_EXCEEDED' })
})

it('a user code that could not be looked up does not count as a wrong one', async () => {
  const { server, database } = await given()
  const grants = grantsOn(server)
  const { userCode } = await grants.startDevice(await grants.deviceClient())
  const look = () =>
    server.call(
      DeviceService.method.getDeviceAuthorization,
      { userCode, attemptKey: 'person' },
      { bearer: server.admin.token },
    )
  await look()
  await database.query('alter table oauth_device_codes rename to lost')
  for (let n = 0; n < 12; n += 1) expect(await refusalOf(look())).toMatchObject({ reason: 'OAUTH_SERVER_ERROR' })
  await database.query('alter table lost rename to oauth_device_codes')
  expect((await look()).deviceAuthorization?.clientId).not.toBe('')
})
