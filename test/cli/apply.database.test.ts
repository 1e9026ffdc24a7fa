import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { parse } from 'yaml'
import { parseDocuments } from '../../src/cli/apply/documents.ts'
import { applyItem, Configuration } from '../../src/cli/apply/plan.ts'
import { SecretsDirectory } from '../../src/cli/apply/secrets-directory.ts'
import { CallFailure, type Calls } from '../../src/cli/connection/calls.ts'
import { AuthenticationMethod } from '../../src/gen/qscope/v1/client_pb.ts'
import { ClientService } from '../../src/gen/qscope/v1/client_service_pb.ts'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { UserService } from '../../src/gen/qscope/v1/user_service_pb.ts'
import { jwksOf, signingPair } from '../setup/assertions.ts'
import { onEveryBackend } from '../setup/backends.ts'
import { Refused, refusalOf } from '../setup/client.ts'
import { COMPILE_CACHE } from '../setup/compile-cache.ts'
import { type DatabaseProxy, startProxy } from '../setup/database-proxy.ts'
import { type FreshDatabase, mysqlDatabases, postgresDatabases } from '../setup/fresh-database.ts'
import { startServer, type TestServer } from '../setup/server.ts'
import { clientDocument, eventsOf, expectSecretsWork, folderOf, namesOf } from './apply-documents.ts'
import { runHere } from './in-process.ts'
import { emptyFolder, MAIN, qscope } from './process.ts'

const pair = signingPair('ES256')
const SOME = 24

const UNTOLD = { description: '', violations: [], retryAfterMs: null, rayId: null }

onEveryBackend('apply through a server', (server, database) => {
  const command = (args: readonly string[]) => [...args, '--server', server.address, '--plaintext']
  const proof = () => ({ QSCOPE_TOKEN: server.admin.token })
  const run = (...args: string[]) => runHere(command(args))
  beforeEach(() => {
    vi.stubEnv('QSCOPE_TOKEN', server.admin.token)
    vi.stubEnv('XDG_CONFIG_HOME', emptyFolder())
  })
  const apply = (folder: string, ...more: string[]) =>
    run('apply', '-f', folder, '--owner', 'test', '--secrets-dir', join(folder, 'secrets'), ...more)
  const clientOf = async (clientId: string) =>
    (await server.call(ClientService.method.getClient, { clientId }, { bearer: server.admin.token })).client
  const isRegistered = (clientId: string) =>
    clientOf(clientId).then(
      () => true,
      () => false,
    )

  it('creates, compares, exports and deletes trusted issuers; the order of their rules matters', async () => {
    const issuer = `https://${server.unique('ci-')}.example`
    const rule = (sub: string) => ({ claims: { sub }, clientId: 'nobody-yet', scopes: ['read'] })
    const folder = emptyFolder()
    const write = (...rules: readonly object[]) => {
      const spec = { issuer, jwks: jwksOf(pair), singleUse: true, rules }
      writeFileSync(join(folder, 'issuer.json'), JSON.stringify({ kind: 'TrustedIssuer', spec }))
    }
    const owner = server.unique('owner-')
    const apply = (...more: string[]) => run('apply', '-f', folder, '--owner', owner, ...more)
    const diff = async () => (await run('diff', '-f', folder, '--owner', owner)).code
    write(rule('a'), rule('b'))
    expect(await diff()).toBe(1)
    expect(await apply()).toMatchObject({ code: 0, stdout: expect.stringContaining(`+ TrustedIssuer ${issuer}`) })
    expect(await diff()).toBe(0)
    const exported = await run('export', '--kind', 'TrustedIssuer', '--owner', owner, '--json')
    expect(JSON.parse(exported.stdout)).toMatchObject([{ kind: 'TrustedIssuer', spec: { issuer, singleUse: true } }])
    write(rule('b'), rule('a'))
    expect(await diff()).toBe(1)
    expect((await apply()).stdout).toContain(`~ TrustedIssuer ${issuer}  update`)
    expect(await diff()).toBe(0)
    const spec = { issuer: `${issuer}/other`, jwks: jwksOf(pair) }
    writeFileSync(join(folder, 'issuer.json'), JSON.stringify({ kind: 'TrustedIssuer', spec }))
    expect((await apply('--prune')).stdout).toContain('an issuer cannot be disabled')
    const pruned = await apply('--prune=delete', '--prune-max', '1', '--yes')
    expect(pruned).toMatchObject({ code: 0, stdout: expect.stringContaining(`- TrustedIssuer ${issuer}  delete`) })
  })

  it('changes nothing if one document cannot be applied', async () => {
    const names = namesOf(server.unique('broken-'), 3)
    const folder = folderOf(names)
    const refused = clientDocument(`${names[0]}-refused`, { scopes: ['not a scope'] })
    writeFileSync(join(folder, 'zz-refused.json'), JSON.stringify(refused))
    const events = await eventsOf(database)
    const outcome = await apply(folder)
    expect(outcome).toMatchObject({ code: 1, stdout: '' })
    expect(outcome.stderr).toMatch(/zz-refused\.json:1: Client .*REGISTRATION_INVALID_CLIENT_METADATA.*scopes\[0\]/)
    expect(await eventsOf(database)).toBe(events)
    expect(await Promise.all(names.map(isRegistered))).toEqual([false, false, false])
    expect(existsSync(join(folder, 'secrets'))).toBe(false)
  })

  it('reports each broken document with its place, and changes nothing', async () => {
    const clientId = server.unique('sound-')
    const folder = folderOf([clientId])
    const serving = (name: string) => {
      const { kind, spec } = clientDocument(`${clientId}-${name}`)
      return JSON.stringify({ kind, spec: { ...spec, resourceAudiences: [`${clientId}-api`] } })
    }
    const broken = {
      'audience.yaml': [
        `${serving('one')}\n---\n${serving('two')}\n`,
        `3: Client ${clientId}-two: resourceAudiences: ${clientId}-api also belongs to Client ${clientId}-one`,
      ],
      'field.yaml': ['kind: Client\nspec:\n  clientId: orders\n  colour: red\n', '1: spec.colour is not a field'],
      'kind.yaml': ['kind: Secret\nspec: {}\n', '1: kind must be Client or TrustedIssuer or User, not Secret'],
      'member.yaml': [
        'kind: User\nspec: {externalId: alice}\nstatus: active\n',
        '1: a document has kind and spec, and no status',
      ],
      'syntax.yaml': [
        'kind: User\nspec: {externalId: alice',
        '2: Flow map in block collection must be sufficiently indented and end with a }',
      ],
      'twice.json': [
        JSON.stringify(clientDocument(clientId)),
        `1: Client ${clientId} is also described in ${join(folder, `${clientId}.json`)}:1`,
      ],
    } as const
    for (const [file, [text]] of Object.entries(broken)) writeFileSync(join(folder, `zz-${file}`), text)
    const events = await eventsOf(database)
    const { code, stdout, stderr } = await apply(folder)
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    const problems = Object.entries(broken).map(([file, [, problem]]) => `${join(folder, `zz-${file}`)}:${problem}`)
    expect(stderr.trimEnd().split('\n').toSorted()).toEqual(problems.map((each) => `qscope: ${each}`).toSorted())
    expect(await eventsOf(database)).toBe(events)
    expect(await isRegistered(clientId)).toBe(false)
  })

  it('does not change objects of another owner, and adopts them only with --adopt', async () => {
    const [shared = '', own = ''] = namesOf(server.unique('owned-'), 2)
    expect((await apply(folderOf([shared]))).code).toBe(0)
    const folder = folderOf([shared, own], { scopes: ['write'] })
    const other = (...more: string[]) =>
      run('apply', '-f', folder, '--owner', 'other', '--secrets-dir', join(folder, 's'), ...more)
    const refused = await other()
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('managed by test, not by other') })
    expect(await isRegistered(own)).toBe(false)
    expect(await clientOf(shared)).toMatchObject({ owner: 'test', scopes: ['read'] })
    expect((await other('--adopt')).code).toBe(0)
    expect(await clientOf(shared)).toMatchObject({ owner: 'other', scopes: ['write'] })
    const back = await apply(folderOf([shared]))
    expect(back).toMatchObject({ code: 1, stderr: expect.stringContaining('managed by other, not by test') })
  })

  it('becomes the owner of a client that has none, without --adopt', async () => {
    const { clientId } = await server.registerClient({ scopes: ['read'] })
    const folder = folderOf([clientId])
    const marked = `~ Client ${clientId}  mark  (managed by test from now on)\n0 unchanged\n`
    expect(await apply(folder)).toEqual({ code: 0, stdout: marked, stderr: '' })
    expect(await clientOf(clientId)).toMatchObject({ owner: 'test' })
    expect((await apply(folder)).stdout).toBe('1 unchanged\n')
  })

  it('prunes its objects that no longer have a document, and large parts only if confirmed', async () => {
    const names = namesOf(server.unique('pruned-'), 10)
    const owner = server.unique('owner-')
    const prune = (folder: string, ...more: string[]) =>
      run('apply', '-f', folder, '--owner', owner, '--secrets-dir', join(folder, 'secrets'), ...more)
    expect((await prune(folderOf(names))).code).toBe(0)
    const tooMuch = await prune(folderOf(names.slice(3)), '--prune')
    expect(tooMuch).toMatchObject({ code: 1, stderr: expect.stringContaining('--prune-max 3') })
    expect(await clientOf(names[0] ?? '')).toMatchObject({ enabled: true })
    const nothing = await prune(emptyFolder(), '--prune')
    expect(nothing).toMatchObject({ code: 1, stderr: expect.stringContaining('there are no documents') })
    expect((await prune(folderOf(names.slice(2)), '--prune')).code).toBe(0)
    const enabled = await Promise.all(names.map(async (name) => (await clientOf(name))?.enabled))
    expect(enabled).toEqual(names.map((_, index) => index >= 2))
    expect((await prune(folderOf(names.slice(3)), '--prune=delete', '--prune-max', '50%', '--yes')).code).toBe(0)
    const registered = await Promise.all(names.map(isRegistered))
    expect(registered).toEqual(names.map((_, index) => index >= 3))
    expect(await isRegistered(server.admin.clientId)).toBe(true)
  })

  it('deletes nothing without confirmation, and then writes nothing else', async () => {
    const [kept = '', gone = '', fresh = ''] = namesOf(server.unique('asked-'), 3)
    const owner = server.unique('owner-')
    const prune = (folder: string, ...more: string[]) =>
      run('apply', '-f', folder, '--owner', owner, '--secrets-dir', join(folder, 'secrets'), ...more)
    expect((await prune(folderOf([kept, gone]))).code).toBe(0)
    const deleting = ['--prune=delete', '--prune-max', '1']
    const folder = folderOf([kept, fresh], { scopes: ['write'] })
    const events = await eventsOf(database)
    const refused = await prune(folder, ...deleting)
    expect(refused).toMatchObject({ code: 2, stdout: '', stderr: expect.stringMatching(`Client ${gone},.*--yes`) })
    expect(await eventsOf(database)).toBe(events)
    expect(await isRegistered(gone)).toBe(true)
    // A dry run and a run without deletions need no confirmation.
    expect((await prune(folder, ...deleting, '--dry-run')).code).toBe(0)
    expect((await prune(folderOf([kept, gone], { scopes: ['write'] }), ...deleting)).code).toBe(0)
    expect((await prune(folder, ...deleting, '--yes')).code).toBe(0)
    expect(await isRegistered(gone)).toBe(false)
  })

  it('prunes by the given owner, so that two sets of documents do not delete each other’s objects', async () => {
    const [ours = '', theirs = ''] = namesOf(server.unique('both-'), 2)
    const byDefault = (name: string, ...more: string[]) => {
      const folder = folderOf([name])
      return run('apply', '-f', folder, '--secrets-dir', join(folder, 'secrets'), ...more)
    }
    expect((await byDefault(ours)).code).toBe(0)
    expect((await byDefault(theirs)).code).toBe(0)
    for (const mode of ['--prune', '--prune=delete']) {
      const refused = await byDefault(ours, mode, '--prune-max', '100%', '--yes')
      expect(refused).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining('--owner') })
    }
    const compared = await run('diff', '-f', folderOf([ours]), '--prune')
    expect(compared).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining('--owner') })
    // Both can change to another owner.
    const owner = server.unique('owner-')
    expect((await byDefault(ours, '--owner', owner, '--adopt', '--prune', '--prune-max', '100%')).code).toBe(0)
    expect(await clientOf(ours)).toMatchObject({ owner, enabled: true })
    expect(await clientOf(theirs)).toMatchObject({ owner: 'apply', enabled: true })
  })

  it('continues after a kill, and delivers every secret', async () => {
    const names = namesOf(server.unique('killed-'), SOME)
    const folder = folderOf(names)
    const secrets = join(folder, 'secrets')
    const args = command(['apply', '-f', folder, '--owner', 'test', '--secrets-dir', secrets])
    for (let kill = 0; kill < 3; kill += 1) {
      const before = await eventsOf(database)
      const child = start(args, proof())
      const ended = once(child, 'exit')
      await expect
        .poll(async () => child.exitCode !== null || (await eventsOf(database)) > before + kill, { interval: 1 })
        .toBe(true)
      child.kill('SIGKILL')
      await ended
    }
    expect(await apply(folder)).toMatchObject({ code: 0, stderr: '' })
    expect(readdirSync(secrets).filter((name) => !name.endsWith('.secret'))).toEqual(['.gitignore'])
    await expectSecretsWork(server, secrets, names)
    expect((await apply(folder)).stdout).toBe(`${SOME} unchanged\n`)
  })

  it('registers each client once with one secret in concurrent runs', async () => {
    const names = namesOf(server.unique('raced-'), SOME)
    const folder = folderOf(names)
    const racers = ['left', 'right'].map((name) => join(folder, name))
    const outcomes = await Promise.all(
      racers.map((secrets) =>
        qscope(emptyFolder(), command(['apply', '-f', folder, '--owner', 'test', '--secrets-dir', secrets]), proof()),
      ),
    )
    expect(outcomes).toMatchObject([
      { code: 0, stderr: '' },
      { code: 0, stderr: '' },
    ])
    const delivered = racers.map((secrets) => names.filter((name) => existsSync(join(secrets, `${name}.secret`))))
    expect(delivered.flat().toSorted()).toEqual(names)
    for (const [index, secrets] of racers.entries()) {
      await expectSecretsWork(server, secrets, delivered[index] ?? [])
      if (existsSync(secrets)) expect(readdirSync(secrets).filter((name) => name.endsWith('.pending'))).toEqual([])
    }
  })

  it('delivers the first secret of a client, even if another caller changes the client in between', async () => {
    const clientId = server.unique('begins-')
    const secrets = new SecretsDirectory(join(emptyFolder(), 'secrets'), 'file')
    const bearer = { bearer: server.admin.token }
    const { disableClient, enableClient, rotateClientSecret } = ClientService.method
    let interruptions = 0
    const calls: Calls = {
      call: async (method, request) => {
        if (method.name === rotateClientSecret.name && interruptions++ === 0) {
          await server.call(disableClient, { clientId }, bearer)
          await server.call(enableClient, { clientId }, bearer)
        }
        try {
          return await server.call(method, request, bearer)
        } catch (error) {
          if (!(error instanceof Refused)) throw error
          throw new CallFailure({ ...error, ...UNTOLD })
        }
      },
      stream: () => {
        throw new Error('nothing is followed here')
      },
      ...{ authenticatesClient: false, hasClient: false, bearer: null, close: async () => undefined },
    }
    const applied = async (more: object) => {
      const { kind, spec } = clientDocument(clientId)
      const text = JSON.stringify({ kind, spec: { ...spec, ...more } })
      const workplace = { calls, owner: 'test', adopt: false, secrets }
      const items = await Configuration.of(parseDocuments('text', text)).plan(workplace, null)
      return await Promise.all(items.map(applyItem))
    }
    try {
      await applied({
        authenticationMethod: 'AUTHENTICATION_METHOD_TLS_CLIENT',
        tlsClientSubject: 'uri:spiffe://shop/begins',
      })
      expect(secrets.delivered).toEqual([])
      await applied({ authenticationMethod: 'AUTHENTICATION_METHOD_CLIENT_SECRET' })
      expect(interruptions).toBe(2)
      const [file = ''] = secrets.delivered
      await expectSecretsWork(server, dirname(file), [clientId])
      expect(secrets.isPending(clientId)).toBe(false)
    } finally {
      secrets.close()
    }
  })

  it('does not replace the file of a secret when an update generates another one', async () => {
    const clientId = server.unique('has-file-')
    const { kind, spec } = clientDocument(clientId)
    const folder = emptyFolder()
    const write = (more: object) =>
      writeFileSync(join(folder, 'client.json'), JSON.stringify({ kind, spec: { ...spec, ...more } }))
    const file = join(folder, 'secrets', `${clientId}.secret`)
    write({ authenticationMethod: 'AUTHENTICATION_METHOD_TLS_CLIENT', tlsClientSubject: 'uri:spiffe://shop/has-file' })
    expect((await apply(folder)).code).toBe(0)
    mkdirSync(dirname(file), { mode: 0o700 })
    writeFileSync(file, 'OTHER')
    write({ authenticationMethod: 'AUTHENTICATION_METHOD_CLIENT_SECRET' })
    const refused = await apply(folder)
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining(`${file}, which is there already`) })
    expect(readFileSync(file, 'utf8')).toBe('OTHER')
    expect(await clientOf(clientId)).toMatchObject({ authenticationMethod: AuthenticationMethod.TLS_CLIENT })
    rmSync(file)
    expect((await apply(folder)).code).toBe(0)
    await expectSecretsWork(server, dirname(file), [clientId])
  })

  it('changes nothing if secrets cannot be written to the directory', async () => {
    const [old = '', fresh = ''] = namesOf(server.unique('unwritable-'), 2)
    expect((await apply(folderOf([old]))).code).toBe(0)
    const folder = folderOf([old, fresh], { scopes: ['write'] })
    const secrets = join(folder, 'secrets')
    const refused = async () => {
      const events = await eventsOf(database)
      const { code, stderr } = await apply(folder)
      expect(code).toBe(1)
      expect(await eventsOf(database)).toBe(events)
      return stderr
    }
    writeFileSync(secrets, '')
    expect(await refused()).toContain('ENOTDIR')
    rmSync(secrets)
    mkdirSync(secrets, { mode: 0o755 })
    expect(await refused()).toContain(`run chmod 700 ${secrets}`)
    chmodSync(secrets, 0o700)
    writeFileSync(join(secrets, '.lock'), '')
    expect(await refused()).toContain('another qscope apply')
    rmSync(join(secrets, '.lock'))
    expect((await apply(folder)).code).toBe(0)
    expect(await clientOf(old)).toMatchObject({ scopes: ['write'] })
  })

  it('reports after a failure what is done, where its secrets are, and what is not done', async () => {
    const [done = '', failing = '', rest = ''] = namesOf(server.unique('fails-'), 3)
    const folder = folderOf([done, failing, rest])
    const secrets = join(folder, 'secrets')
    mkdirSync(secrets, { mode: 0o700 })
    symlinkSync(join(folder, 'elsewhere'), join(secrets, `${failing}.pending`))
    const failed = await apply(folder, '--json')
    expect(failed).toMatchObject({
      code: 1,
      stderr: expect.stringContaining(`Client ${failing} failed. Changes made: 1, not made: 2. `),
    })
    expect(JSON.parse(failed.stdout)).toMatchObject({
      changes: [{ name: done, action: 'register' }],
      secretFiles: [join(secrets, `${done}.secret`)],
      notDone: [{ name: failing }, { name: rest }],
    })
    await expectSecretsWork(server, secrets, [done])
    expect((await apply(folder)).stdout).toBe(
      ['1 unchanged', 'not done:', `+ Client ${failing}  register`, `+ Client ${rest}  register`, ''].join('\n'),
    )
    rmSync(join(secrets, `${failing}.pending`))
    expect((await apply(folder)).code).toBe(0)
    await expectSecretsWork(server, secrets, [done, failing, rest])
  })

  it('registers disabled clients and deactivated users in one call, so that they were never of use', async () => {
    const clientId = server.unique('disabled-')
    const externalId = server.unique('deactivated-')
    const folder = folderOf([clientId], { enabled: false })
    writeFileSync(join(folder, 'user.json'), JSON.stringify({ kind: 'User', spec: { externalId, active: false } }))
    expect((await apply(folder)).code).toBe(0)
    const client = await clientOf(clientId)
    expect(client).toMatchObject({ enabled: false, owner: 'test', updateTime: client?.createTime })
    const id = { case: 'externalId' as const, value: externalId }
    const { user } = await server.call(UserService.method.getUser, { id }, { bearer: server.admin.token })
    expect(user).toMatchObject({ active: false, owner: 'test', updateTime: user?.createTime })
    expect((await apply(folder)).stdout).toBe('2 unchanged\n')
  })

  it('writes secrets as Kubernetes manifests that authenticate their clients', async () => {
    const clientId = server.unique('manifest-')
    const folder = folderOf([clientId])
    const file = join(folder, 'secrets', `${clientId}.secret.yaml`)
    const applied = await apply(folder, '--secret-format', 'kubernetes')
    expect(applied).toMatchObject({ code: 0, stdout: expect.stringContaining(`secret written to ${file}`) })
    const manifest = parse(readFileSync(file, 'utf8'))
    expect(manifest).toMatchObject({ apiVersion: 'v1', kind: 'Secret', stringData: { 'client-id': clientId } })
    const method = { case: 'clientSecret' as const, value: String(manifest.stringData['client-secret']) }
    const minted = await server.call(TokenService.method.mintToken, { client: { clientId, method } })
    expect(minted.token?.accessToken).not.toBe('')
  })

  it('exits with 2 if a comparison fails, as diff(1) does', async () => {
    const folder = folderOf([server.unique('uncompared-')], { scopes: ['not a scope'] })
    expect(await run('diff', '-f', folder)).toMatchObject({ code: 2, stdout: '' })
    const elsewhere = ['diff', '-f', folder, '--server', '127.0.0.1:1', '--plaintext']
    expect(await runHere(elsewhere)).toMatchObject({ code: 2, stdout: '' })
  })

  it('generates another secret for a client whose secret was not delivered', async () => {
    const clientId = server.unique('undelivered-')
    const folder = folderOf([clientId])
    const secrets = join(folder, 'secrets')
    expect((await apply(folder)).code).toBe(0)
    rmSync(join(secrets, `${clientId}.secret`))
    writeFileSync(join(secrets, `${clientId}.pending`), '')
    expect((await apply(folder)).stdout).toContain(`~ Client ${clientId}  rotate`)
    await expectSecretsWork(server, secrets, [clientId])
    expect(existsSync(join(secrets, `${clientId}.pending`))).toBe(false)
    expect((await apply(folder)).stdout).toBe('1 unchanged\n')
  })

  it('refuses a change with an old etag, and a change to another owner', async () => {
    const clientId = server.unique('etag-')
    expect((await apply(folderOf([clientId]))).code).toBe(0)
    const bearer = { bearer: server.admin.token }
    const { etag = '' } = (await clientOf(clientId)) ?? {}
    const { disableClient, enableClient, deleteClient, rotateClientSecret, updateClient } = ClientService.method
    const old = { clientId, etag }
    await server.call(disableClient, old, bearer)
    const change = { client: { clientId, owner: 'thief' }, updateMask: { paths: ['owner'] } }
    for (const call of [
      () => server.call(disableClient, old, bearer),
      () => server.call(enableClient, old, bearer),
      () => server.call(deleteClient, old, bearer),
      () => server.call(rotateClientSecret, old, bearer),
      () => server.call(updateClient, change, bearer),
    ]) {
      expect(await refusalOf(call())).toMatchObject({ reason: 'RESOURCE_CONFLICT' })
    }
    expect(await clientOf(clientId)).toMatchObject({ owner: 'test', enabled: false })
  })
})

for (const kind of [mysqlDatabases, postgresDatabases]) {
  describe.skipIf(!kind.available)(`apply through a server that loses its database: ${kind.name}`, () => {
    let database: FreshDatabase
    let proxy: DatabaseProxy
    let server: TestServer
    beforeEach(async () => {
      database = await kind.createMigrated()
      proxy = await startProxy(database.url)
      server = await startServer(proxy.url)
    })
    afterEach(async () => {
      proxy.refuse(false)
      await server.stop()
      await proxy.close()
      await database.drop()
    })

    it('says what was not done, and the next run completes it, each client once', async () => {
      const names = namesOf(server.unique('cut-off-'), SOME)
      const folder = folderOf(names)
      const secrets = join(folder, 'secrets')
      const args = ['apply', '-f', folder, '--secrets-dir', secrets, '--server', server.address, '--plaintext']
      const run = () => qscope(emptyFolder(), args, { QSCOPE_TOKEN: server.admin.token })
      const before = await eventsOf(database)
      const running = run()
      await expect.poll(() => eventsOf(database), { interval: 1 }).toBeGreaterThan(before)
      proxy.refuse(true)
      proxy.cut()
      const failed = await running
      expect(failed).toMatchObject({ code: 1, stdout: expect.stringContaining('not done:') })
      expect(failed.stderr).toMatch(/^qscope: Client \S+ failed\. Changes made: \d+, not made: \d+\. /)
      expect(failed.stderr).toMatch(/OAUTH_TEMPORARILY_UNAVAILABLE|RESOURCE_OUTCOME_UNKNOWN/)
      proxy.refuse(false)
      await expect.poll(() => run(), { timeout: 60_000 }).toMatchObject({ code: 0, stderr: '' })
      expect((await run()).stdout).toBe(`${SOME} unchanged\n`)
      await expectSecretsWork(server, secrets, names)
      const registered = "select count(*) as events from oauth_audit_log where event_type = 'client.registered'"
      expect(Number((await database.query(registered))[0]?.['events'])).toBe(SOME + 1)
    })
  })
}

function start(args: readonly string[], env: Record<string, string>): ChildProcess {
  return spawn(process.execPath, [MAIN, ...args], {
    cwd: emptyFolder(),
    env: { PATH: process.env['PATH'] ?? '', ...COMPILE_CACHE, ...env },
    stdio: 'ignore',
  })
}
