import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it, onTestFinished } from 'vitest'
import { Health, HealthCheckResponse_ServingStatus as Serving } from '../../src/gen/grpc/health/v1/health_pb.ts'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { connect, Refused } from '../setup/client.ts'
import { canMount, fill, smallFileSystem } from './file-systems.ts'
import { qscope, run, temporaryDirectory } from './process.ts'

const { introspectToken, mintToken } = TokenService.method
const environmentOf = (scheme: string) => ({
  QSCOPE_GRPC_LISTEN: '127.0.0.1:0',
  QSCOPE_DATABASE_URL: `${scheme}:./qscope.db`,
})
const AT_ONCE = 100
const TIMEOUT_MS = 300_000

describe.runIf(canMount).each([
  ['8m', 'sqlite'],
  ['24m', 'sqlite'],
  ['8m', 'libsql'],
])('a volume of %s filled by a database of %s', (size, scheme) => {
  const environment = environmentOf(scheme)

  it(
    'keeps its write-ahead log small, answers reads when it is full, and accepts writes when there is space again',
    async () => {
      const directory = await smallFileSystem(size)
      const file = join(directory, 'qscope.db')
      // Space to free later.
      const spare = fill(directory, 1_048_576)
      const server = qscope(directory, ['serve'], { ...environment, QSCOPE_MINT_RATE: 'off' })
      onTestFinished(() => void server.child.kill('SIGKILL'))
      const [, address = ''] = await server.until(/listens on (\S+)/)
      const connection = connect(address)
      onTestFinished(() => connection.close())
      const value = /client secret {2}(\S+)/.exec(server.stdout)?.[1] ?? ''
      const client = { clientId: 'admin', method: { case: 'clientSecret' as const, value } }
      const mint = async () => (await connection.call(mintToken, { client })).token?.accessToken ?? ''
      const token = await mint()

      let refusal: unknown = null
      while (refusal === null) {
        const outcomes = await Promise.allSettled(Array.from({ length: AT_ONCE }, mint))
        refusal = outcomes.find((outcome) => outcome.status === 'rejected')?.reason ?? null
      }
      expect(refusal).toBeInstanceOf(Refused)
      expect(refusal).toMatchObject({ status: 'UNAVAILABLE', reason: 'OAUTH_TEMPORARILY_UNAVAILABLE' })
      // The rows take the space, not the write-ahead log.
      expect(statSync(`${file}-wal`).size).toBeLessThan(statSync(file).size / 4)
      expect((await connection.call(introspectToken, { client, token })).active).toBe(true)

      const reading = [
        ['audit', 'verify', '--local'],
        ['audit', 'list', '--local'],
        ['client', 'list', '--local'],
        ['migrate', 'status'],
      ]
      const read = async () => {
        for (const command of reading) {
          const { code, stderr } = await run(directory, command, environment)
          expect({ command, code, stderr }).toEqual({ command, code: 0, stderr: '' })
        }
      }
      await read()
      const told = await run(directory, ['doctor'], environment)
      expect(told.stdout).toMatch(/database free_space +warning/)

      spare()
      for (const until = Date.now() + 60_000; ; await sleep(200)) {
        const { status } = await connection.call(Health.method.check, {})
        if (status === Serving.SERVING || Date.now() > until) {
          expect(status).toBe(Serving.SERVING)
          break
        }
      }
      expect((await connection.call(introspectToken, { client, token: await mint() })).active).toBe(true)
      server.child.kill('SIGTERM')
      expect((await server.ended).code).toBe(0)
    },
    TIMEOUT_MS,
  )
})

describe.runIf(canMount)('a volume without a byte to spare', () => {
  it(
    'prevents reads while no server has the file open, which is reported, and recovers when there is space',
    async () => {
      const directory = await smallFileSystem('8m')
      const keyring = join(await temporaryDirectory(), 'keyring.json')
      const environment = { ...environmentOf('sqlite'), QSCOPE_KEYRING_FILE: keyring }
      for (const command of [
        ['migrate', 'up'],
        ['client', 'create', '--admin'],
      ]) {
        expect(await run(directory, command, environment)).toMatchObject({ code: 0 })
      }
      const spare = fill(directory)
      const commands = [
        ['audit', 'verify', '--local'],
        ['audit', 'list', '--local'],
        ['client', 'list', '--local'],
        ['migrate', 'status'],
      ]
      for (const command of [...commands, ['serve']]) {
        expect(await run(directory, command, environment)).toMatchObject({
          code: 1,
          stderr: expect.stringMatching(
            /^qscope: (QSCOPE_DATABASE_URL: )?there is no space left for the database \S+: .* needs 32 KiB of free space\n$/,
          ),
        })
      }
      const another = { ...environment, QSCOPE_KEYRING_FILE: join(directory, 'another.json') }
      expect(await run(directory, ['keyring', 'create'], another)).toMatchObject({
        code: 1,
        stderr: expect.stringContaining('another.json cannot be created (ENOSPC)'),
      })
      expect(readdirSync(directory).filter((name) => /keyring|another/.test(name))).toEqual([])
      spare()
      for (const command of commands) {
        expect(await run(directory, command, environment)).toMatchObject({ code: 0, stderr: '' })
      }
    },
    TIMEOUT_MS,
  )
})
