import { mkdtempSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { ContextStore } from '../../src/cli/contexts/context-store.ts'
import { OUTPUT_FORMS } from '../../src/cli/options/output-options.ts'
import { yamlText } from '../../src/cli/output/yaml.ts'
import { AuthenticationMethod, ClientType, GrantType } from '../../src/gen/qscope/v1/client_pb.ts'
import { ClientService } from '../../src/gen/qscope/v1/client_service_pb.ts'
import { DeviceService } from '../../src/gen/qscope/v1/device_service_pb.ts'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { databaseKinds } from '../setup/fresh-database.ts'
import { startServer, type TestServer } from '../setup/server.ts'
import { runHere } from './in-process.ts'

/** RFC 8628 from the view of a user. */
describe('qscope login', () => {
  let server: TestServer
  let home = ''
  const contextFile = () => join(home, 'qscope', 'contexts', 'dev.json')
  const kept = () => JSON.parse(readFileSync(contextFile(), 'utf8'))
  const dev = () => ({ name: 'dev', context: kept() })
  const introspect = (token: string) => server.introspectAll(server.admin.client, [token])

  beforeAll(async () => {
    const [sqlite] = databaseKinds
    const database = await sqlite?.create()
    server = await startServer(database?.url ?? '')
    const register = (clientId: string, grantTypes: GrantType[]) =>
      server.call(
        ClientService.method.registerClient,
        {
          clientId,
          type: ClientType.PUBLIC,
          authenticationMethod: AuthenticationMethod.NONE,
          grantTypes,
          scopes: ['stock.read', 'stock.write'],
          config: { devicePollInterval: { seconds: 1n } },
        },
        { bearer: server.admin.token },
      )
    await register('cli', [GrantType.DEVICE_CODE, GrantType.REFRESH_TOKEN])
    await register('cli-once', [GrantType.DEVICE_CODE])
    await register('cli-moved', [GrantType.DEVICE_CODE, GrantType.REFRESH_TOKEN])
  })
  afterAll(() => server.stop())
  beforeEach(async () => {
    home = mkdtempSync(join(tmpdir(), 'qscope-login-'))
    for (const name of ['QSCOPE_SERVER', 'QSCOPE_CONTEXT', 'QSCOPE_CLIENT_ID', 'QSCOPE_TOKEN'])
      vi.stubEnv(name, undefined)
    vi.stubEnv('XDG_CONFIG_HOME', home)
    expect((await runHere(['context', 'set', 'dev', '--server', server.address])).code).toBe(0)
    return () => vi.unstubAllEnvs()
  })

  /** Runs a command; another one replaces the context between its read and its change. */
  async function beforeItChanges(args: readonly string[], context: object) {
    const lock = `${contextFile()}.lock`
    writeFileSync(lock, '')
    const changing = vi.spyOn(ContextStore.prototype, 'change')
    try {
      const running = runHere(args)
      await expect.poll(() => changing.mock.calls.length).toBe(1)
      writeFileSync(contextFile(), JSON.stringify(context))
      unlinkSync(lock)
      return await running
    } finally {
      changing.mockRestore()
    }
  }

  /** Runs the command, and settles the authorization as soon as the user code is shown. */
  async function logIn(settle: 'approve' | 'deny', ...args: readonly string[]) {
    return await logInWhile(() => Promise.resolve(), settle, ...args)
  }

  /** The same; `meanwhile` runs before the authorization is settled. */
  async function logInWhile(meanwhile: () => Promise<void>, settle: 'approve' | 'deny', ...args: readonly string[]) {
    const seen = Promise.withResolvers<string>()
    const running = runHere(['login', ...args], (stderr) => {
      const [, code] = /enter the code (\S+)/.exec(stderr) ?? []
      if (code !== undefined) seen.resolve(code)
    })
    const userCode = await Promise.race([seen.promise, running.then(({ stderr }) => Promise.reject(new Error(stderr)))])
    await meanwhile()
    const bearer = { bearer: server.admin.token }
    if (settle === 'deny') await server.call(DeviceService.method.denyDeviceAuthorization, { userCode }, bearer)
    else {
      const user = { id: { case: 'externalId' as const, value: 'alice' } }
      await server.call(DeviceService.method.approveDeviceAuthorization, { userCode, user }, bearer)
    }
    return await running
  }

  test.each(OUTPUT_FORMS)(
    'shows a code, waits for the user, and stores the tokens without showing them: %s',
    async (form) => {
      const asked = ['--client-id', 'cli', '--scope', 'stock.read', '-o', form]
      const { code, stdout, stderr } = await logIn('approve', ...asked)
      const { accessToken, refreshToken, expireTime } = kept().login
      const login = { context: 'dev', clientId: 'cli', scopes: ['stock.read'], expireTime, refreshes: true }
      const text = [
        'logged in to          dev',
        'client id             cli',
        'scopes                stock.read',
        `access token expires  ${expireTime}`,
        'afterwards            it is refreshed when it is needed',
        '',
      ].join('\n')
      const json = `${JSON.stringify(login, null, 2)}\n`
      const answers = { table: text, wide: text, json, yaml: yamlText(login), name: 'dev\n' }
      expect({ code, stdout }).toEqual({ code: 0, stdout: answers[form] })
      expect(stdout + stderr).not.toContain(accessToken)
      expect(stdout + stderr).not.toContain(refreshToken)
      expect(await introspect(accessToken)).toEqual([true])
      const shown = await runHere(['context', 'show', '-o', 'yaml'])
      expect(shown.stdout).toContain('clientId: cli')
      expect(shown.stdout).not.toContain(accessToken)
    },
  )

  test('provides the token for other programs: qscope token header', async () => {
    await logIn('approve', '--client-id', 'cli')
    const { accessToken } = kept().login
    expect(await runHere(['token', 'header'])).toEqual({
      code: 0,
      stdout: `authorization: Bearer ${accessToken}\n`,
      stderr: '',
    })
  })

  test('provides its own token for other programs, not one of the client that the context has for management', async () => {
    const { clientId, clientSecret } = server.admin
    const asAdmin = ['--client-id', clientId, '--client-secret', clientSecret]
    expect((await runHere(['context', 'set', 'dev', ...asAdmin])).code).toBe(0)
    await logIn('approve', '--client-id', 'cli')
    const ofLogin = { code: 0, stdout: `authorization: Bearer ${kept().login.accessToken}\n`, stderr: '' }
    expect(await runHere(['token', 'header'])).toEqual(ofLogin)
    for (const minting of [['--scope', 'qscope:clients.read'], asAdmin]) {
      const minted = await runHere(['token', 'header', ...minting])
      expect(minted).toMatchObject({ code: 0, stdout: expect.stringContaining('authorization: Bearer qat_') })
      expect(minted.stdout).not.toBe(ofLogin.stdout)
    }
  })

  test('is refreshed shortly before its expiry, once for all concurrent commands', async () => {
    await logIn('approve', '--client-id', 'cli')
    const before = kept()
    const ended = { ...before, login: { ...before.login, expireTime: new Date(Date.now() + 1_000).toISOString() } }
    writeFileSync(contextFile(), JSON.stringify(ended))
    const { loginToken } = await import('../../src/cli/connection/login.ts')
    const tokens = await Promise.all(Array.from({ length: 5 }, () => loginToken(dev(), null)))
    const { accessToken, refreshToken } = kept().login
    expect(new Set(tokens)).toEqual(new Set([accessToken]))
    expect(accessToken).not.toBe(before.login.accessToken)
    expect(refreshToken).not.toBe(before.login.refreshToken)
    expect((await runHere(['token', 'header'])).stdout).toContain(accessToken)
    expect(await introspect(accessToken)).toEqual([true])
  })

  test('reports its expiry if it cannot be refreshed', async () => {
    await logIn('approve', '--client-id', 'cli-once')
    const before = kept()
    expect(before.login.refreshToken).toBeNull()
    const ended = { ...before, login: { ...before.login, expireTime: new Date(Date.now() - 1_000).toISOString() } }
    writeFileSync(contextFile(), JSON.stringify(ended))
    expect(await runHere(['token', 'header'])).toEqual({
      code: 2,
      stdout: '',
      stderr: 'qscope: the login of the context dev has expired: run qscope login\n',
    })
  })

  test('that has expired does not affect public calls', async () => {
    await logIn('approve', '--client-id', 'cli-once')
    const before = kept()
    const ended = { ...before, login: { ...before.login, expireTime: new Date(Date.now() - 1_000).toISOString() } }
    writeFileSync(contextFile(), JSON.stringify(ended))
    expect((await runHere(['metadata', '-o', 'name'])).code).toBe(0)
    expect((await runHere(['key', 'jwks'])).code).toBe(0)
    expect((await runHere(['token', 'revoke-leaked', before.login.accessToken])).code).toBe(0)
    expect(await introspect(before.login.accessToken)).toEqual([false])
  })

  test('ends with qscope logout, which revokes the tokens', async () => {
    await logIn('approve', '--client-id', 'cli')
    const { accessToken } = kept().login
    expect(await runHere(['logout'])).toEqual({ code: 0, stdout: 'logged out of dev\n', stderr: '' })
    expect(kept().login).toBeUndefined()
    expect(await introspect(accessToken)).toEqual([false])
    expect((await runHere(['logout'])).stdout).toBe('nobody is logged in to dev\n')
    expect((await runHere(['token', 'header'])).code).toBe(2)
  })

  test('stored during qscope logout is revoked and removed instead of the earlier one', async () => {
    await logIn('approve', '--client-id', 'cli')
    const first = kept()
    // Removes it from the file, so that the next login does not revoke its tokens.
    writeFileSync(contextFile(), JSON.stringify({ ...first, login: undefined }))
    await logIn('approve', '--client-id', 'cli')
    const second = kept()
    writeFileSync(contextFile(), JSON.stringify(first))
    expect(await beforeItChanges(['logout'], second)).toEqual({ code: 0, stdout: 'logged out of dev\n', stderr: '' })
    expect(kept().login).toBeUndefined()
    expect(await introspect(second.login.accessToken)).toEqual([false])
    expect(await introspect(first.login.accessToken)).toEqual([true])
  })

  test('at another server whose context replaced this one is neither used nor removed', async () => {
    await logIn('approve', '--client-id', 'cli')
    const { accessToken } = kept().login
    const chosen = dev()
    const other = { ...kept(), server: '127.0.0.1:1' }
    for (const args of [['logout'], ['logout', '--forget']]) {
      writeFileSync(contextFile(), JSON.stringify(chosen.context))
      const { code, stderr } = await beforeItChanges(args, other)
      expect({ code, stderr }).toEqual({
        code: 1,
        stderr: expect.stringContaining('to 127.0.0.1:1: run the command again'),
      })
      expect(kept()).toEqual(other)
    }
    const { loginToken } = await import('../../src/cli/connection/login.ts')
    await expect(loginToken(chosen, null)).rejects.toThrow('to 127.0.0.1:1: run the command again')
    expect(await introspect(accessToken)).toEqual([true])
  })

  test('revokes the tokens of the previous login', async () => {
    await logIn('approve', '--client-id', 'cli')
    const { accessToken: first } = kept().login
    await logIn('approve', '--client-id', 'cli')
    expect(await introspect(first)).toEqual([false])
    expect(await introspect(kept().login.accessToken)).toEqual([true])
  })

  test('is revoked instead of stored if the context now belongs to another server', async () => {
    const moved = async () => {
      writeFileSync(contextFile(), JSON.stringify({ ...kept(), server: '127.0.0.1:1' }))
    }
    const { code, stderr } = await logInWhile(moved, 'approve', '--client-id', 'cli-moved')
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining('now names 127.0.0.1:1') })
    expect(kept().login).toBeUndefined()
    const method = TokenService.method.listTokens
    const { tokens } = await server.call(method, { clientId: 'cli-moved' }, { bearer: server.admin.token })
    expect(new Set(tokens.map(({ active }) => active))).toEqual(new Set([false]))
  })

  test('is removed with a notice when its context is changed to another server', async () => {
    await logIn('approve', '--client-id', 'cli')
    const { code, stderr } = await runHere(['context', 'set', 'dev', '--server', '127.0.0.1:1'])
    expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringContaining('the login to the previous server') })
    expect(kept().login).toBeUndefined()
  })

  test('stores nothing when the user refuses', async () => {
    const { code, stdout, stderr } = await logIn('deny', '--client-id', 'cli')
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toContain('OAUTH_DEVICE_ACCESS_DENIED')
    expect(kept().login).toBeUndefined()
  })

  test('cannot have permissions of QScope, which no user can delegate', async () => {
    await logIn('approve', '--client-id', 'cli')
    const { code, stderr } = await runHere(['client', 'list'])
    expect(code).toBe(1)
    expect(stderr).toContain('OAUTH_INSUFFICIENT_SCOPE')
  })

  test('needs a context to store the tokens in, and a client', async () => {
    expect((await runHere(['login'])).stderr).toContain('--client-id')
    await runHere(['context', 'use'])
    expect((await runHere(['login', '--client-id', 'cli'])).stderr).toContain('qscope context set')
  })
})
