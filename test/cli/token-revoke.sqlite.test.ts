import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { databaseKinds } from '../setup/fresh-database.ts'
import { startServer, type TestServer } from '../setup/server.ts'
import { runHere } from './in-process.ts'
import { emptyFolder } from './process.ts'

/** RFC 7009 from the view of a client. */
describe('qscope token revoke with the credentials of a client', () => {
  let server: TestServer
  let asOrders: readonly string[] = []
  const asAdmin = () => {
    const { clientId, clientSecret } = server.admin
    return ['--server', server.address, '--client-id', clientId, '--client-secret', clientSecret]
  }

  async function json(...args: readonly string[]) {
    const { code, stdout, stderr } = await runHere([...args, '--json'])
    if (code !== 0) throw new Error(stderr)
    return JSON.parse(stdout)
  }

  async function isActive(token: string): Promise<boolean> {
    return (await json('token', 'introspect', token, ...asAdmin())).active ?? false
  }

  beforeAll(async () => {
    const [sqlite] = databaseKinds
    const database = await sqlite?.create()
    server = await startServer(database?.url ?? '')
    const made = await json(
      ...['client', 'create', '--id', 'orders', '--grant', 'client_credentials', '--scope', 'stock.read'],
      ...asAdmin(),
    )
    asOrders = ['--server', server.address, '--client-id', 'orders', '--client-secret', made.clientSecret]
  })
  afterAll(() => server.stop())
  beforeEach(async () => {
    for (const name of ['QSCOPE_SERVER', 'QSCOPE_CONTEXT', 'QSCOPE_CLIENT_ID', 'QSCOPE_TOKEN'])
      vi.stubEnv(name, undefined)
    vi.stubEnv('XDG_CONFIG_HOME', emptyFolder())
    return () => vi.unstubAllEnvs()
  })
  test('ends a token of the client, and answers the same for it, when it has ended, and for an unknown token', async () => {
    const { token } = await json('token', 'mint', ...asOrders)
    expect(await isActive(token.accessToken)).toBe(true)
    for (const value of [token.accessToken, token.accessToken, server.unknownToken()]) {
      const { code, stdout, stderr } = await runHere(['token', 'revoke', value, ...asOrders])
      expect({ code, stdout, stderr }).toEqual({
        code: 0,
        stdout: 'if the token was issued to this client, it is now revoked\n',
        stderr: '',
      })
      expect(await isActive(value)).toBe(false)
    }
  })

  test('does not end a token of another client, and says how to', async () => {
    const { token } = await json('token', 'mint', ...asAdmin())
    const refused = await runHere(['token', 'revoke', token.accessToken, ...asOrders])
    expect({ code: refused.code, stdout: refused.stdout }).toEqual({ code: 1, stdout: '' })
    expect(refused.stderr).toMatch(
      /^qscope: OAUTH_INVALID_GRANT: the token was issued to another client and was not revoked; .*\(--token-id\).* qscope:tokens\.revoke \(ray id .+\)\n$/,
    )
    expect(await isActive(token.accessToken)).toBe(true)

    const revoked = await runHere(['token', 'revoke', '--token-id', token.tokenId, ...asAdmin()])
    expect({ code: revoked.code, stdout: revoked.stdout }).toEqual({ code: 0, stdout: 'revoked: 1\n' })
    expect(await isActive(token.accessToken)).toBe(false)
  })
})
