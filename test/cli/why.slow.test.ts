import { beforeAll, describe, expect, test } from 'vitest'
import { folderWithDatabase, qscope } from './process.ts'

const TIMEOUT = 300_000

describe('the command line explains, and checks changes', () => {
  let folder = ''
  const run = async (...args: string[]) => {
    const { code, stdout, stderr } = await qscope(folder, args)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    return stdout
  }
  const json = async (...args: string[]) => JSON.parse(await run(...args, '--json'))

  beforeAll(async () => {
    folder = await folderWithDatabase()
  }, TIMEOUT)

  test(
    'why a token is accepted or refused, with the remedy',
    async () => {
      const options = ['--id', 'orders', '--grant', 'client_credentials', '--scope', 'orders.read']
      const { clientSecret } = await json('client', 'create', ...options)
      const as = ['--client-id', 'orders', '--client-secret', clientSecret]
      const { token } = await json('token', 'mint', ...as)
      const accepted = await json('why', token.accessToken, '--scope', 'orders.read')
      expect(accepted).toMatchObject({ verdict: 'VERDICT_ACCEPTED', errorReason: 'ERROR_REASON_UNSPECIFIED' })
      const text = await run('why', token.accessToken, '--scope', 'orders.write')
      expect(text).toMatch(/^verdict {2}refused\nerror {4}OAUTH_INSUFFICIENT_SCOPE\n\nCHECK +PASSED +FOUND\n/)
      expect(text).toMatch(/^token_has_scopes +no +.*missing: orders\.write$/m)
      expect(text).toMatch(/\n\nto do {2}Mint a token with the missing scopes/)
      expect(text).not.toContain(token.accessToken)
      expect(await json('why', token.accessToken, ...as)).toMatchObject({ verdict: 'VERDICT_ACCEPTED' })
    },
    TIMEOUT,
  )

  test(
    'why a client gets a token or not',
    async () => {
      await json('client', 'create', '--id', 'shop', '--grant', 'client_credentials', '--scope', 'a')
      expect(await json('client', 'why', 'shop', '--scope', 'a')).toMatchObject({ verdict: 'VERDICT_ACCEPTED' })
      const refused = await run('client', 'why', 'shop', '--grant', 'device_code')
      expect(refused).toMatch(/^verdict {2}refused\nerror {4}OAUTH_UNAUTHORIZED_CLIENT\n/)
      expect(refused).toMatch(/^grant_is_allowed +no +its grants: client_credentials$/m)
    },
    TIMEOUT,
  )

  test(
    'the effect of a change, with --dry-run',
    async () => {
      const planned = await json('client', 'create', '--id', 'planned', '--grant', 'client_credentials', '--dry-run')
      expect(planned).toMatchObject({ client: { clientId: 'planned', etag: '' }, clientSecret: '' })
      expect((await qscope(folder, ['client', 'get', 'planned'])).code).toBe(1)
      await json('client', 'create', '--id', 'kept', '--grant', 'client_credentials')
      expect((await json('client', 'disable', 'kept', '--dry-run')).client.enabled).toBe(false)
      expect(await run('client', 'rotate-secret', 'kept', '--dry-run')).toBe('client id  kept\n')
      expect(await run('client', 'delete', 'kept', '--dry-run')).toBe('would delete kept\n')
      expect((await json('client', 'get', 'kept')).client.enabled).toBe(true)
      const taken = await qscope(folder, ['client', 'create', '--id', 'kept', '--dry-run'])
      expect(taken.stderr).toMatch(/^qscope: REGISTRATION_CLIENT_IDENTIFIER_CONFLICT/)
    },
    TIMEOUT,
  )
})
