import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { readCredentials } from '../../src/cli/connection/credentials.ts'
import { jwtPlatform, type Platform, workload } from '../setup/federated.ts'
import { databaseKinds } from '../setup/fresh-database.ts'
import { startServer, type TestServer } from '../setup/server.ts'
import { runHere } from './in-process.ts'

const VARIABLES = [
  'QSCOPE_SERVER',
  'QSCOPE_CONTEXT',
  'QSCOPE_CLIENT_ID',
  'QSCOPE_CLIENT_SECRET',
  'QSCOPE_CLIENT_SECRET_FILE',
  'QSCOPE_CLIENT_ASSERTION_FILE',
  'QSCOPE_TOKEN',
]

describe('a workload with only a token of its platform', () => {
  let server: TestServer
  let platform: Platform
  let caller: Awaited<ReturnType<typeof workload>>
  let home = ''
  let file = ''
  const ok = async (...args: readonly string[]) => {
    const printed = await runHere(args)
    expect(printed).toMatchObject({ code: 0, stderr: '' })
    return printed.stdout
  }
  const refused = (reason: string) => ({ code: 2, stdout: '', stderr: expect.stringContaining(reason) })
  /** Sets the environment of a workload. */
  const inEnvironment = (clientId = caller.clientId) => {
    vi.stubEnv('QSCOPE_SERVER', server.address)
    vi.stubEnv('QSCOPE_CLIENT_ID', clientId)
    vi.stubEnv('QSCOPE_CLIENT_ASSERTION_FILE', file)
  }

  beforeAll(async () => {
    const [sqlite] = databaseKinds
    const database = await sqlite?.create()
    server = await startServer(database?.url ?? '')
    platform = await jwtPlatform(server)
    caller = await workload(server, platform, {
      scopes: ['orders.read', 'qscope:clients.read', 'qscope:clients.write'],
    })
  })
  afterAll(() => server.stop())
  beforeEach(async () => {
    home = mkdtempSync(join(tmpdir(), 'qscope-assertion-file-'))
    file = join(home, 'token')
    writeFileSync(file, `${await caller.assertion()}\n`)
    for (const name of VARIABLES) vi.stubEnv(name, undefined)
    vi.stubEnv('XDG_CONFIG_HOME', home)
    return () => vi.unstubAllEnvs()
  })

  const places: readonly [string, () => Promise<readonly string[]>][] = [
    [
      'options',
      async () => ['--server', server.address, '--client-id', caller.clientId, '--client-assertion-file', file],
    ],
    [
      'the environment',
      async () => {
        inEnvironment()
        return []
      },
    ],
    [
      'a context',
      async () => {
        const as = ['--client-id', caller.clientId, '--client-assertion-file', file]
        await ok('context', 'set', 'dev', '--server', server.address, ...as)
        return []
      },
    ],
  ]

  test.each(places)('authenticates by %s, as an OAuth client and for management', async (_, connection) => {
    const to = await connection()
    const minted = JSON.parse(await ok('token', 'mint', '--scope', 'orders.read', '--json', ...to))
    const verified = await ok('token', 'verify', minted.token.accessToken, '--json', ...to)
    expect(JSON.parse(verified).claims).toMatchObject({ clientId: caller.clientId, scopes: ['orders.read'] })
    expect(await ok('client', 'list', '-o', 'name', ...to)).toContain(`${caller.clientId}\n`)
    // Two permissions need two tokens.
    const { clientId } = await server.registerClient({})
    await ok('client', 'update', clientId, '--add-scope', 'more', ...to)
    expect(await ok('token', 'header', '--scope', 'orders.read', ...to)).toMatch(/^authorization: Bearer qat_/)
    writeFileSync(file, await caller.assertion({ aud: ['elsewhere'] }))
    expect((await runHere(['client', 'list', ...to])).stderr).toContain('OAUTH_INVALID_CLIENT')
  })

  test('reads the file for each use, since the platform replaces it', async () => {
    const options = { clientId: caller.clientId, clientAssertionFile: file }
    const { client } = await readCredentials(options, null)
    writeFileSync(file, 'first\n')
    expect(client?.clientAssertion?.()).toBe('first')
    writeFileSync(file, 'second\n')
    expect(client?.clientAssertion?.()).toBe('second')
  })

  test('is refused with a missing or empty file', async () => {
    inEnvironment()
    writeFileSync(file, '\n')
    expect(await runHere(['token', 'mint'])).toEqual(refused('the file of the assertion is empty'))
    vi.stubEnv('QSCOPE_CLIENT_ASSERTION_FILE', join(home, 'missing'))
    expect(await runHere(['client', 'list'])).toEqual(
      refused('the file of the assertion cannot be read: the file does not exist'),
    )
  })

  test('is refused with two kinds of credentials', async () => {
    inEnvironment()
    vi.stubEnv('QSCOPE_CLIENT_SECRET', 'secret')
    expect(await runHere(['token', 'mint'])).toEqual(
      refused('set only one of QSCOPE_CLIENT_SECRET and QSCOPE_CLIENT_ASSERTION_FILE'),
    )
    const both = ['--client-id', caller.clientId, '--client-assertion-file', file, '--client-secret-file', file]
    const reason = 'give only one of --client-secret-file and --client-assertion-file'
    expect(await runHere(['token', 'mint', ...both])).toEqual(refused(reason))
    expect(await runHere(['context', 'set', 'dev', '--server', server.address, ...both])).toEqual(refused(reason))
    // Options take precedence over the environment.
    await ok('token', 'mint', '--client-assertion-file', file)
  })

  test('does not send its token to another server than that of the environment', async () => {
    inEnvironment()
    vi.stubEnv('QSCOPE_SERVER', '127.0.0.1:1')
    expect(await runHere(['client', 'list', '--server', server.address])).toEqual(
      refused('QSCOPE_CLIENT_ID and QSCOPE_CLIENT_ASSERTION_FILE of the environment are for 127.0.0.1:1'),
    )
  })

  test('keeps the path in its context until the client, the server or the credentials change', async () => {
    const as = ['--client-id', caller.clientId, '--client-assertion-file', file]
    const shown = [await ok('context', 'set', 'dev', '--server', server.address, ...as)]
    const context = async () => JSON.parse(await ok('context', 'show', 'dev', '--json')).context
    for (const form of ['table', 'json', 'yaml']) shown.push(await ok('context', 'show', '-o', form))
    expect(shown.every((text) => text.includes(file))).toBe(true)
    expect(shown.join('')).not.toContain(await caller.assertion())
    expect(await runHere(['context', 'set', 'dev', '--server', '127.0.0.1:1'])).toEqual(
      refused(`the assertion file of ${caller.clientId} for ${server.address}, which is not sent to 127.0.0.1:1`),
    )
    await ok('context', 'set', 'dev', '--server', '127.0.0.1:1', '--client-assertion-file', file)
    expect(await context()).toMatchObject({ server: '127.0.0.1:1', clientAssertionFile: file })
    await ok('context', 'set', 'dev', '--client-secret-file', file)
    expect(await context()).not.toHaveProperty('clientAssertionFile')
    await ok('context', 'set', 'dev', '--client-assertion-file', file)
    expect(await context()).not.toHaveProperty('clientSecretFile')
    await ok('context', 'set', 'dev', '--client-id', 'other')
    expect(await context()).not.toHaveProperty('clientAssertionFile')
  })

  describe('is registered by its federated identity', () => {
    const admin = () => [
      ...['--server', server.address, '--client-id', server.admin.clientId],
      ...['--client-secret', server.admin.clientSecret],
    ]
    const create = (clientId: string, ...identities: readonly string[]) =>
      ok(
        ...['client', 'create', '--id', clientId, '--authentication-method', 'federated_jwt', '--json'],
        ...['--grant', 'client_credentials', '--scope', 'orders.read', ...admin()],
        ...identities.flatMap((identity) => ['--federated-identity', identity]),
      )
    const subject = () => server.unique('system:serviceaccount:shop:')
    const mintsWith = async (clientId: string, claims: Record<string, unknown>) => {
      inEnvironment(clientId)
      writeFileSync(file, await caller.assertion(claims))
      return (await runHere(['token', 'mint'])).code === 0
    }

    test('including required claims, which are kept until they are changed', async () => {
      const { issuer } = platform
      const [sub, other] = [subject(), subject()]
      const clientId = server.unique('deployer-')
      const required = JSON.stringify({ issuer, subject: sub, requiredClaims: { repository: 'octo/shop' } })
      const created = JSON.parse(await create(clientId, required, `issuer=${issuer},subject=${other}`))
      expect(created.client.federatedIdentities).toEqual([
        { issuer, subject: sub, requiredClaims: { repository: 'octo/shop' } },
        { issuer, subject: other, requiredClaims: {} },
      ])
      expect(await mintsWith(clientId, { sub, repository: 'octo/shop' })).toBe(true)
      expect(await mintsWith(clientId, { sub, repository: 'octo/other' })).toBe(false)
      expect(await mintsWith(clientId, { sub: other })).toBe(true)
      const changed = JSON.stringify({ issuer, subject: sub, required_claims: { '/job/environment': 'production' } })
      const update = ['client', 'update', clientId, '--federated-identity', changed, ...admin()]
      expect(await ok(...update)).toContain(`${sub} of ${issuer} (/job/environment=production)`)
      expect(await mintsWith(clientId, { sub, job: { environment: 'production' } })).toBe(true)
      expect(await mintsWith(clientId, { sub, repository: 'octo/shop' })).toBe(false)
      expect(await mintsWith(clientId, { sub: other })).toBe(false)
    })

    test.each([
      'system:serviceaccount:shop:orders',
      'issuer=https://example.org',
      '{"issuer": "https://example.org"',
      '{"issuer": "https://example.org", "claims": {}}',
      '{"issuer": "https://example.org", "subject": "a", "requiredClaims": {"a": 1}}',
    ])('is refused where an identity could not be one: %s', async (identity) => {
      const args = ['client', 'create', '--federated-identity', identity, ...admin()]
      expect(await runHere(args)).toEqual(refused('the JSON of an identity'))
    })
  })
})
