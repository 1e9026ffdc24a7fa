import { mkdtempSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { databaseKinds } from '../setup/fresh-database.ts'
import { startServer, type TestServer } from '../setup/server.ts'
import { runHere } from './in-process.ts'

const VARIABLES = [
  'QSCOPE_SERVER',
  'QSCOPE_CONTEXT',
  'QSCOPE_CLIENT_ID',
  'QSCOPE_CLIENT_SECRET',
  'QSCOPE_TOKEN',
  'QSCOPE_CLIENT_SECRET_FILE',
]

describe('a context', () => {
  let server: TestServer
  let home = ''
  const admin = () => ['--client-id', server.admin.clientId, '--client-secret', server.admin.clientSecret]
  const ok = async (...args: readonly string[]) => {
    const printed = await runHere(args)
    expect(printed).toMatchObject({ code: 0, stderr: '' })
    return printed.stdout
  }

  beforeAll(async () => {
    const [sqlite] = databaseKinds
    const database = await sqlite?.create()
    server = await startServer(database?.url ?? '')
  })
  afterAll(() => server.stop())
  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), 'qscope-context-'))
    for (const name of VARIABLES) vi.stubEnv(name, undefined)
    vi.stubEnv('XDG_CONFIG_HOME', home)
    vi.stubEnv('QSCOPE_DATABASE_URL', `sqlite:${join(home, 'none.db')}`)
    return () => vi.unstubAllEnvs()
  })

  test('stores the server and the caller; the first one becomes current', async () => {
    await ok('context', 'set', 'dev', '--server', server.address, ...admin())
    expect(await ok('client', 'list', '-o', 'name')).toContain(`${server.admin.clientId}\n`)
    expect(await ok('context', 'list', '-o', 'name')).toBe('dev\n')
    await ok('context', 'set', 'other', '--server', '127.0.0.1:1')
    expect(JSON.parse(await ok('context', 'show', '--json')).context).toMatchObject({ name: 'dev', inUse: true })
    await ok('context', 'use', 'other')
    expect((await runHere(['client', 'list'])).stderr).toContain('--client-id')
    expect(await ok('client', 'list', '--context', 'dev', '-o', 'name')).toContain(server.admin.clientId)
    vi.stubEnv('QSCOPE_CONTEXT', 'dev')
    expect(await ok('client', 'list', '-o', 'name')).toContain(server.admin.clientId)
  })

  test('never shows its secret', async () => {
    const shown = [await ok('context', 'set', 'dev', '--server', server.address, ...admin())]
    for (const form of ['table', 'wide', 'json', 'yaml', 'name']) {
      shown.push(await ok('context', 'show', '-o', form), await ok('context', 'list', '-o', form))
    }
    expect(shown.join('')).not.toContain(server.admin.clientSecret)
    expect(statSync(join(home, 'qscope', 'contexts', 'dev.json')).mode & 0o777).toBe(0o600)
  })

  test('may store the path of a secret instead', async () => {
    const path = join(home, 'secret')
    writeFileSync(path, `${server.admin.clientSecret}\n`)
    const as = ['--client-id', server.admin.clientId, '--client-secret-file', path]
    await ok('context', 'set', 'dev', '--server', server.address, ...as)
    expect(await ok('client', 'list', '-o', 'name')).toContain(server.admin.clientId)
  })

  test('is overridden by --server and QSCOPE_SERVER, which do not get its secret', async () => {
    await ok('context', 'set', 'dev', '--server', server.address, ...admin())
    const elsewhere = await runHere(['client', 'list', '--server', server.address])
    expect(elsewhere).toMatchObject({ code: 2, stderr: expect.stringContaining('--client-id') })
    vi.stubEnv('QSCOPE_SERVER', server.address)
    expect(await runHere(['client', 'list'])).toMatchObject({ code: 2, stderr: expect.stringContaining('--client-id') })
    expect(await ok('client', 'list', '--context', 'dev', '-o', 'name')).toContain(server.admin.clientId)
    vi.stubEnv('QSCOPE_SERVER', 'nowhere')
    expect(await runHere(['client', 'list'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('QSCOPE_SERVER'),
    })
  })

  test('uses its secret for its own client only', async () => {
    await ok('context', 'set', 'dev', '--server', server.address, ...admin())
    const other = await server.registerClient({ clientId: server.unique('other-') })
    expect((await runHere(['token', 'mint', '--client-id', other.clientId])).stderr).toContain('OAUTH_INVALID_CLIENT')
    await ok('token', 'mint', '--client-id', server.admin.clientId)
  })

  test('of a client without a needed permission reports which one, and how to get it', async () => {
    const { clientId, clientSecret } = await server.registerClient({ clientId: server.unique('other-') })
    const other = ['--client-id', clientId, '--client-secret', clientSecret]
    await ok('context', 'set', 'dev', '--server', server.address, ...other)
    expect(await runHere(['client', 'list'])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining(
        `OAUTH_INVALID_SCOPE: the client ${clientId} does not have the permission qscope:clients.read, which this command needs: run qscope client update ${clientId} --add-scope qscope:clients.read`,
      ),
    })
  })

  test('sees tokens of other clients only if its client has qscope:tokens.read', async () => {
    const audience = 'https://warehouse.internal'
    const orders = await server.registerClient({ clientId: server.unique('orders-'), audiences: [audience] })
    const asOrders = ['--client-id', orders.clientId, '--client-secret', orders.clientSecret]
    const billing = await server.registerClient({ clientId: server.unique('billing-') })
    // Without the grant client_credentials, a client cannot request a permission.
    const warehouse = await server.registerClient({
      clientId: server.unique('warehouse-'),
      grantTypes: [],
      resourceAudiences: [audience],
    })
    const json = async (...args: string[]) => JSON.parse(await ok(...args, '--server', server.address, '--json'))
    const { token } = await json('token', 'mint', ...asOrders, '--audience', audience)
    const seenBy = async (...as: string[]) => {
      const { verdict } = await json('why', token.accessToken, ...as)
      const { active } = await json('token', 'introspect', token.accessToken, ...as)
      return { verdict, active }
    }
    const seen = { verdict: 'VERDICT_ACCEPTED', active: true }
    expect(await seenBy(...admin())).toEqual(seen)
    expect(await seenBy(...asOrders)).toEqual(seen)
    expect(await seenBy('--client-id', warehouse.clientId, '--client-secret', warehouse.clientSecret)).toEqual(seen)
    const asBilling = ['--client-id', billing.clientId, '--client-secret', billing.clientSecret]
    expect(await seenBy(...asBilling)).toEqual({ verdict: 'VERDICT_UNKNOWN', active: false })
  })

  test('is overridden by --local, and the database is then named', async () => {
    await ok('context', 'set', 'dev', '--server', server.address, ...admin())
    expect((await runHere(['client', 'list', '--local'])).stderr).toContain('there is no database')
    await ok('migrate', 'up')
    expect(await ok('client', 'list', '--local', '-o', 'name')).toBe('')
    await ok('context', 'use')
    expect(await runHere(['client', 'list', '-o', 'name'])).toEqual({
      code: 0,
      stdout: '',
      stderr: expect.stringMatching(/^qscope: working on sqlite:.*none\.db, as no server is given .*\n$/),
    })
    expect(await runHere(['client', 'list', '--local', '--context', 'dev'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('give only one of --context and --local'),
    })
  })

  test('changes only the given settings', async () => {
    await ok('context', 'set', 'dev', '--server', 'qscope.example:443', '--tls', ...admin())
    await ok('context', 'set', 'dev', '--client-id', 'other')
    const show = async () => JSON.parse(await ok('context', 'show', 'dev', '--json')).context
    expect(await show()).toMatchObject({
      server: 'qscope.example:443',
      tls: true,
      clientId: 'other',
      hasClientSecret: false,
    })
    await ok('context', 'set', 'dev', '--plaintext')
    expect(await show()).toMatchObject({ plaintext: true })
    expect(await show()).not.toHaveProperty('tls')
  })

  test('does not take its secret to another server', async () => {
    await ok('context', 'set', 'dev', '--server', server.address, ...admin())
    const elsewhere = ['context', 'set', 'dev', '--server', '127.0.0.1:1']
    expect(await runHere(elsewhere)).toEqual({
      code: 2,
      stdout: '',
      stderr: expect.stringContaining(`for ${server.address}, which is not sent to 127.0.0.1:1`),
    })
    expect(await ok('client', 'list', '-o', 'name')).toContain(server.admin.clientId)
    const secretFile = join(home, 'secret')
    writeFileSync(secretFile, 'secret of a file')
    await ok(...elsewhere, '--client-secret-file', secretFile)
    expect(await runHere(['context', 'set', 'dev', '--server', '127.0.0.1:2'])).toMatchObject({ code: 2 })
    await ok('context', 'set', 'dev', '--server', '127.0.0.1:2', '--client-id', 'other')
    const { context } = JSON.parse(await ok('context', 'show', 'dev', '--json'))
    expect(context).toEqual(expect.objectContaining({ clientId: 'other', hasClientSecret: false }))
    expect(context).not.toHaveProperty('clientSecretFile')
  })

  test('does not use its plaintext permission for another server', async () => {
    await ok('context', 'set', 'far', '--server', 'one.example:80', '--plaintext')
    expect(await runHere(['context', 'set', 'far', '--server', 'two.example:80'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('be sent to it in plaintext'),
    })
    await ok('context', 'set', 'far', '--server', 'two.example:80', '--plaintext')
  })

  test('does not send the environment’s secret for another server', async () => {
    await ok('context', 'set', 'dev', '--server', server.address)
    vi.stubEnv('QSCOPE_SERVER', '127.0.0.1:1')
    vi.stubEnv('QSCOPE_CLIENT_ID', server.admin.clientId)
    vi.stubEnv('QSCOPE_CLIENT_SECRET', server.admin.clientSecret)
    for (const place of [
      ['--context', 'dev'],
      ['--server', server.address],
    ]) {
      expect(await runHere(['client', 'list', ...place])).toMatchObject({
        code: 2,
        stdout: '',
        stderr: expect.stringContaining(
          `QSCOPE_CLIENT_ID and QSCOPE_CLIENT_SECRET of the environment are for 127.0.0.1:1, and are not sent to ${server.address}`,
        ),
      })
    }
    vi.stubEnv('QSCOPE_SERVER', undefined)
    vi.stubEnv('QSCOPE_CONTEXT', 'dev')
    await ok('client', 'list', '--server', server.address)
    vi.stubEnv('QSCOPE_SERVER', server.address)
    await ok('client', 'list')
    await ok('client', 'list', '--context', 'dev')
  })

  test('reports the file of a secret that cannot be read', async () => {
    vi.stubEnv('QSCOPE_CLIENT_ID', server.admin.clientId)
    vi.stubEnv('QSCOPE_CLIENT_SECRET_FILE', join(home, 'missing'))
    expect(await runHere(['client', 'list', '--server', server.address])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('QSCOPE_CLIENT_SECRET_FILE: should be the path of a readable file'),
    })
  })

  test.each([
    [['context', 'set', 'dev'], 'a new context requires --server'],
    [['context', 'set', '../dev', '--server', '127.0.0.1:1'], 'a name must be 1 to 64'],
    [['context', 'set', 'dev', '--server', 'qscope.example:443'], 'be sent to it in plaintext'],
    [
      ['context', 'set', 'dev', '--server', '127.0.0.1:1', '--client-secret', 'x'],
      'a client secret or assertion requires --client-id',
    ],
  ])('is rejected if it could not be used: %j', async (args, reason) => {
    expect(await runHere(args)).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining(reason) })
    expect(await ok('context', 'list', '-o', 'name')).toBe('')
  })

  test('is deleted only after confirmation', async () => {
    await ok('context', 'set', 'dev', '--server', server.address)
    expect(await runHere(['context', 'delete', 'dev'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--yes'),
    })
    expect(await ok('context', 'delete', 'dev', '--yes')).toBe('deleted dev\n')
    expect((await runHere(['context', 'show', 'dev'])).stderr).toContain(
      'the context dev does not exist; no context exists yet',
    )
  })
})
