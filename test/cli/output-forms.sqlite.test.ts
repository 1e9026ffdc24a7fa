import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { ContextStore } from '../../src/cli/contexts/context-store.ts'
import { OUTPUT_FORMS } from '../../src/cli/options/output-options.ts'
import { signed } from '../setup/assertions.ts'
import { databaseKinds, type FreshDatabase } from '../setup/fresh-database.ts'
import { startServer, type TestServer } from '../setup/server.ts'
import { AUDIENCE, CLUSTER, trustedIssuers } from '../setup/trusted-issuers.ts'
import { everyCommand, WITHOUT_FORMS } from './every-command.ts'
import { runHere } from './in-process.ts'
import { RPCS_OF_COMMANDS } from './rpcs-of-commands.ts'

/** Expected lines on standard error besides an answer. */
const BESIDE = /^(?:more with --page-token \S+|qscope: note: .*)\n/gm
/** Commands that need more than one command line, and where they are tested. */
const ELSEWHERE: Readonly<Record<string, string>> = Object.freeze({
  login: 'login.sqlite.test.ts: a user approves meanwhile',
  'audit follow': 'audit-follow.slow.test.ts: it runs until it is stopped',
})
/** The subject of assertions for the client `orders`. */
const SERVICE_ACCOUNT = 'system:serviceaccount:shop:orders'
const folder = mkdtempSync(join(tmpdir(), 'qscope-forms-'))
let database: FreshDatabase
let server: TestServer
let issuers: Awaited<ReturnType<typeof trustedIssuers>>
let count = 0

async function json(...args: readonly string[]) {
  const { code, stdout, stderr } = await runHere([...args, '--json'])
  if (code !== 0) throw new Error(`${args.join(' ')}: ${stderr}`)
  return JSON.parse(stdout)
}

async function newClient(...more: readonly string[]): Promise<string> {
  count += 1
  const args = more.length > 0 ? more : ['--grant', 'client_credentials', '--scope', 'stock.read']
  const made = await json('client', 'create', '--id', `client-${count}`, ...args)
  return made.client.clientId
}

/** Options that make a command call as a new client. */
async function asNewClient(...registration: readonly string[]): Promise<readonly string[]> {
  count += 1
  const made = await json('client', 'create', '--id', `client-${count}`, ...registration)
  return ['--server', server.address, '--client-id', made.client.clientId, '--client-secret', made.clientSecret]
}

const REDIRECT = ['--redirect-uri', 'https://web.example/callback'] as const

async function newWebClient(): Promise<string> {
  return await newClient('--grant', 'authorization_code', '--redirect-uri', REDIRECT[1], '--no-pkce')
}

function newIssuerArguments(): readonly string[] {
  count += 1
  const rule = JSON.stringify({ claims: { sub: 'job' }, clientId: 'orders', scopes: ['orders.read'] })
  return [`https://issuer-${count}.example`, '--jwks-file', join(folder, 'cluster.jwks.json'), '--rule', rule]
}

async function newIssuer(): Promise<string> {
  const made = await json('trust', 'create', ...newIssuerArguments())
  return made.trustedIssuer.issuer
}

/** A context with a login, as `qscope login` stores it. */
async function loggedIn(): Promise<string> {
  const name = await newContext()
  const { token } = await json('device', 'redeem', await approvedDeviceCode(), ...asDevice())
  const { accessToken, refreshToken, expireTime, scopes } = token
  const login = { clientId: 'device', accessToken, refreshToken, expireTime, scopes }
  await ContextStore.ofUser(process.env).change(name, (context) => ({ ...context, login }))
  return name
}

async function newAssertion(): Promise<string> {
  const now = Math.floor(server.clock.now() / 1_000)
  const claims = { iss: CLUSTER, sub: SERVICE_ACCOUNT, aud: AUDIENCE, iat: now, exp: now + 600 }
  return await signed(issuers.cluster, claims)
}

async function newUser(): Promise<string> {
  count += 1
  return (await json('user', 'register', `user-${count}`)).user.userId
}

async function newSecret(): Promise<[string, string]> {
  const clientId = await newClient()
  await json('client', 'rotate-secret', clientId, '--overlap', '1h')
  const { secrets } = await json('client', 'secret', 'list', clientId)
  return [clientId, secrets[1].secretId]
}

/** Removes prepared keys, since the server limits their number. */
async function endPreparedKeys(): Promise<readonly string[]> {
  const { keys } = await json('key', 'list', '--state', 'prepared')
  for (const { keyId } of keys) await json('key', 'revoke', keyId, '--yes')
  return []
}

async function newKey(): Promise<string> {
  await endPreparedKeys()
  return (await json('key', 'prepare')).key.keyId
}

async function newToken(): Promise<string> {
  return (await json('token', 'mint')).token.accessToken
}

/** Options that name the device client, which is public. */
const AS_DEVICE = ['--server', '', '--client-id', 'device']
function asDevice(): readonly string[] {
  return AS_DEVICE.map((word) => (word === '' ? server.address : word))
}

async function newDeviceCodes(): Promise<{ readonly userCode: string; readonly deviceCode: string }> {
  return await json('device', 'start', ...asDevice())
}

async function approvedDeviceCode(): Promise<string> {
  const { userCode, deviceCode } = await newDeviceCodes()
  await json('device', 'approve', userCode, '--external-id', 'approver')
  return deviceCode
}

async function newContext(): Promise<string> {
  count += 1
  return (await json('context', 'set', `context-${count}`, '--server', server.address)).context.name
}

async function newKeyringKey(...more: readonly string[]): Promise<string> {
  return (await json('keyring', 'rotate', '--purpose', 'audit', '--prepare', ...more)).keys[0].id
}

/** A command line without a keyring, for `keyring create`. */
async function withFreshKeyring(): Promise<readonly string[]> {
  count += 1
  process.env['QSCOPE_KEYRING_FILE'] = join(folder, `keyring-${count}.json`)
  return []
}

/** The arguments of a command, after the complete schema was restored. */
async function migrated(...args: readonly string[]): Promise<readonly string[]> {
  await json('migrate', 'up')
  return args
}

/** Arguments for which each command prints an answer. */
const ARGUMENTS: Readonly<Record<string, () => Promise<readonly string[]> | readonly string[]>> = {
  'context set': async () => [await newContext(), '--server', server.address],
  'context use': async () => [],
  'context list': () => [],
  'context show': () => ['forms'],
  'context delete': async () => [await newContext(), '--yes'],
  logout: async () => ['--context', await loggedIn()],
  'migrate up': () => [],
  'migrate down': () => ['--yes'],
  'migrate status': () => [],
  'client create': () => {
    count += 1
    return ['--id', `made-${count}`, '--grant', 'client_credentials']
  },
  'client list': () => [],
  'client get': async () => [await newClient()],
  'client update': async () => [await newClient(), '--name', 'Orders'],
  'client disable': async () => [await newClient()],
  'client enable': async () => [await newClient()],
  'client rotate-secret': async () => [await newClient(), '--yes'],
  'client secret list': async () => [await newClient()],
  'client secret rotate-own': async () => await asNewClient('--grant', 'client_credentials', '--allow-own-rotation'),
  'client secret revoke': async () => [...(await newSecret()), '--yes'],
  'client delete': async () => [await newClient(), '--yes'],
  'client why': async () => [await newClient(), '--scope', 'stock.write'],
  'token mint': () => [],
  'token refresh': async () => {
    const { token } = await json('device', 'redeem', await approvedDeviceCode(), ...asDevice())
    return [token.refreshToken, ...asDevice()]
  },
  'token exchange': async () => {
    const caller = await asNewClient(
      '--grant',
      'client_credentials',
      '--grant',
      'token_exchange',
      '--scope',
      'stock.read',
    )
    return [(await json('token', 'mint', ...caller)).token.accessToken, ...caller]
  },
  'token exchange-assertion': async () => [await newAssertion()],
  'token introspect': async () => [await newToken()],
  'token verify': async () => [await newToken()],
  'token revoke': async () => ['--of-client', await newClient(), '--yes'],
  'token revoke-leaked': async () => [await newToken()],
  'token revocations': () => [],
  'token list': () => [],
  'token grants': () => [],
  'user register': () => {
    count += 1
    return [`user-${count}`]
  },
  'user list': () => [],
  'user get': async () => [await newUser()],
  'user deactivate': async () => [await newUser()],
  'user reactivate': async () => [await newUser()],
  'user delete': async () => [await newUser(), '--yes'],
  'trust create': () => newIssuerArguments(),
  'trust list': () => [],
  'trust get': async () => [await newIssuer()],
  'trust update': async () => [await newIssuer(), '--single-use'],
  'trust delete': async () => [await newIssuer(), '--yes'],
  'trust test': async () => [await newAssertion()],
  'device start': () => asDevice(),
  'device get': async () => [(await newDeviceCodes()).userCode],
  'device approve': async () => [(await newDeviceCodes()).userCode, '--external-id', 'approver'],
  'device deny': async () => [(await newDeviceCodes()).userCode],
  'device redeem': async () => [await approvedDeviceCode(), ...asDevice()],
  'device watch': async () => [await approvedDeviceCode(), ...asDevice()],
  'code create': async () => [await newWebClient(), ...REDIRECT, '--external-id', 'approver'],
  'code redeem': async () => {
    const caller = await asNewClient('--grant', 'authorization_code', '--redirect-uri', REDIRECT[1], '--no-pkce')
    const { code } = await json('code', 'create', caller[3] ?? '', ...REDIRECT, '--external-id', 'approver')
    return [code, ...REDIRECT, ...caller]
  },
  why: async () => [await newToken(), '--scope', 'other'],
  'key list': () => [],
  'key prepare': endPreparedKeys,
  'key activate': async () => [await activatable()],
  'key retire': async () => [await newKey(), '--yes'],
  'key revoke': async () => [await newKey(), '--yes'],
  'key jwks': () => [],
  'audit list': () => [],
  'audit get': async () => [(await json('audit', 'list')).events[0].eventId],
  'audit verify': () => [],
  'audit head': () => [],
  'keyring create': withFreshKeyring,
  'keyring complete': () => [],
  'keyring status': () => migrated(),
  'keyring rotate': () => ['--purpose', 'audit', '--prepare'],
  'keyring activate': async () => [await newKeyringKey()],
  'keyring remove': async () => await migrated(await newKeyringKey(), '--yes'),
  purge: () => migrated(),
  config: () => [],
  'decode-status': () => ['{"code": "not_found", "message": "no such client"}'],
  doctor: () => migrated(),
  'explain-sql': () => migrated('clientCredentials'),
  health: () => [],
  status: () => [],
  metadata: () => [],
  usage: counted,
  apply: () => ['-f', documents(), '--secrets-dir', join(folder, 'secrets')],
  diff: () => ['-f', documents()],
  export: () => [],
  'import hydra': () => [
    exported([{ client_id: 'imported', grant_types: ['client_credentials'], scope: 'stock.read' }]),
  ],
  'import keycloak': () => [
    exported({
      realm: 'shop',
      clients: [{ clientId: 'imported', serviceAccountsEnabled: true, standardFlowEnabled: false }],
    }),
  ],
}

/** Commands that cannot be undone, and how the confirmation describes the effect. Those whose `ARGUMENTS` do not ask have others. */
const ASKING: Readonly<Record<string, { readonly effect: string; readonly args?: () => Promise<readonly string[]> }>> =
  {
    apply: {
      effect: 'this deletes for good, with their tokens and secrets, the objects that no document describes',
      args: pruning,
    },
    'client delete': { effect: 'this deletes the client' },
    'client rotate-secret': { effect: 'this revokes the current secrets of' },
    'client secret revoke': { effect: 'this revokes the secret' },
    'context delete': { effect: 'this deletes the context' },
    'key retire': { effect: 'this retires the key' },
    'key revoke': { effect: 'this revokes the key' },
    'keyring remove': { effect: 'this removes the key' },
    'migrate down': { effect: 'this deletes the data' },
    'token revoke': { effect: 'this revokes all tokens of the client' },
    'trust delete': { effect: 'this deletes the trusted issuer' },
    'user delete': { effect: 'this deletes the user' },
  }

/** Commands with such a name that do not ask, and why. */
const NOT_ASKING: Readonly<Record<string, string>> = {
  'token revoke-leaked': 'a leaked token must end at once, and nothing else ends with it',
}

/** Words of commands that end or remove something. */
const IRREVERSIBLE = /\b(?:delete|remove|retire|revoke|down)\b/

/** No arguments, after a scope of the client `orders` was counted on one day. */
async function counted(): Promise<readonly string[]> {
  const [day, end] = [Date.UTC(2026, 0, 2), Date.UTC(2100)]
  await database.query(
    `insert or ignore into oauth_scope_usage
     (usage_hash, day, client_id, scope, asked, granted, forget_at, created_at, updated_at)
     values (zeroblob(32), ${day}, 'orders', 'stock.read', 2, 3, ${end}, ${day}, ${day})`,
  )
  return []
}

/** The arguments of an `apply` that deletes a client. */
async function pruning(): Promise<readonly string[]> {
  count += 1
  const owner = `owner-${count}`
  const secrets = ['--secrets-dir', join(folder, 'secrets'), '--owner', owner]
  await json('apply', '-f', documents(), ...secrets)
  return ['-f', documents(), ...secrets, '--prune=delete', '--prune-max', '100%', '--yes']
}

/** A file with the document of a new client. */
function documents(): string {
  count += 1
  const file = join(folder, `documents-${count}.yaml`)
  writeFileSync(file, `kind: Client\nspec:\n  clientId: applied-${count}\n  type: CLIENT_TYPE_CONFIDENTIAL\n`)
  return file
}

/** A file with the export of another server. */
function exported(document: object): string {
  count += 1
  const file = join(folder, `export-${count}.json`)
  writeFileSync(file, JSON.stringify(document))
  return file
}

/** A prepared key. Each can be activated once, after enough time in the key set. */
async function activatable(): Promise<string> {
  const keyId = await newKey()
  server.clock.advance(600_000)
  return keyId
}

describe('every command that prints objects', () => {
  const commands = everyCommand()
  const printing = [...commands].filter(([name]) => WITHOUT_FORMS[name] === undefined && ELSEWHERE[name] === undefined)

  beforeAll(async () => {
    // Each command that opens a database adds a listener for the end of the process.
    process.setMaxListeners(0)
    const [sqlite] = databaseKinds
    if (sqlite === undefined) throw new Error('there is no kind of database')
    database = await sqlite.create()
    issuers = await trustedIssuers(folder)
    // Only the rule of an existing client, since the doctor reports missing clients.
    const rule = { claims: { sub: SERVICE_ACCOUNT }, client_id: 'orders', scopes: ['orders.read'] }
    const cluster = { issuer: CLUSTER, jwks_file: 'cluster.jwks.json', audience: AUDIENCE, rules: [rule] }
    writeFileSync(issuers.file, JSON.stringify({ issuers: [cluster] }))
    const variables = { QSCOPE_TRUSTED_ISSUERS_FILE: issuers.file }
    server = await startServer(database.url, undefined, undefined, variables)
    // Commands on the database use another one, without a server.
    Object.assign(process.env, {
      XDG_CONFIG_HOME: join(folder, 'config'),
      QSCOPE_DATABASE_URL: `sqlite:${join(folder, 'data', 'qscope.db')}`,
    })
    await withFreshKeyring()
    await json('keyring', 'create')
    await json('migrate', 'up')
    const { clientId, clientSecret } = server.admin
    const admin = ['--client-id', clientId, '--client-secret', clientSecret]
    await json('context', 'set', 'forms', '--server', server.address, ...admin)
    process.env['QSCOPE_CONTEXT'] = 'forms'
    const grants = ['--grant', 'device_code', '--grant', 'refresh_token', '--scope', 'stock.read']
    await json('client', 'create', '--id', 'device', '--type', 'public', '--authentication-method', 'none', ...grants)
    await json('client', 'create', '--id', 'orders', '--grant', 'jwt_bearer', '--scope', 'orders.read')
  })
  afterAll(() => server.stop())

  test('has -o, except for those with a reason', () => {
    const without = [...commands].filter(([, command]) => !command.options.some(({ long }) => long === '--output'))
    expect(without.map(([name]) => name).toSorted()).toEqual(Object.keys(WITHOUT_FORMS).toSorted())
    expect(printing.map(([name]) => name).toSorted()).toEqual(Object.keys(ARGUMENTS).toSorted())
  })

  test('notes that nothing was counted where no usage is', async () => {
    const { code, stderr } = await runHere(['usage'])
    expect(code).toBe(0)
    expect(stderr).toBe(
      'qscope: note: no usage was counted; a server counts usage only with QSCOPE_USAGE=on (default: off)\n',
    )
  })

  test('shows what was counted of a client on a day, and what it never used', async () => {
    expect(await runHere(['usage', ...(await counted())])).toEqual({
      code: 0,
      stdout: [
        'DAY         CLIENT  GRANTED       ASKED OF USERS  NEVER USED',
        '2026-01-02  orders  stock.read=3  stock.read=2    orders.read',
        '',
      ].join('\n'),
      stderr: '',
    })
  })

  test.each(printing.map(([name]) => name))('qscope %s prints every format', async (name) => {
    const printed = new Map<string, string>()
    const before = server.lines.length
    for (const form of OUTPUT_FORMS) {
      const args = [...name.split(' '), ...((await ARGUMENTS[name]?.()) ?? []), '-o', form]
      const { stdout, stderr } = await runHere(args)
      expect(stderr.replace(BESIDE, ''), args.join(' ')).toBe('')
      printed.set(form, stdout)
    }
    const document = JSON.parse(printed.get('json') ?? '')
    expect(typeof document).toBe('object')
    expect(Object.keys(parse(printed.get('yaml') ?? ''))).toEqual(Object.keys(document))
    for (const form of ['table', 'wide']) expect(printed.get(form)?.trim()).not.toBe('')
    expect(printed.get('name')).toMatch(/^(?:\S+\n)*$/)
    for (const text of printed.values()) expect(text).not.toMatch(/\bundefined\b|\[object|\bNaN\b/)
    const called = new Set(server.lines.slice(before).map(({ method }) => String(method).replace(/^.*\//, '')))
    const [...rpcs] = RPCS_OF_COMMANDS[name] ?? []
    // If there are several, the arguments choose one.
    if (rpcs.length > 0) expect(rpcs.filter((rpc) => called.has(rpc))).toHaveLength(1)
  })

  test('that cannot be undone has --yes, except for those with a reason', () => {
    const withYes = [...commands].filter(([, command]) => command.options.some(({ long }) => long === '--yes'))
    expect(withYes.map(([name]) => name).toSorted()).toEqual(Object.keys(ASKING))
    const named = [...commands.keys()].filter((name) => IRREVERSIBLE.test(name))
    expect(named.filter((name) => ASKING[name] === undefined)).toEqual(Object.keys(NOT_ASKING))
  })

  test.each(Object.entries(ASKING))(
    'qscope %s refuses without --yes where nobody can be asked, and changes nothing',
    async (name, { effect, args }) => {
      const confirmed = [...name.split(' '), ...((await (args ?? ARGUMENTS[name])?.()) ?? [])]
      const refused = await runHere(confirmed.filter((word) => word !== '--yes'))
      expect(refused).toMatchObject({ code: 2, stdout: '' })
      expect(refused.stderr.replace(/^qscope: note: .*\n/, '')).toMatch(
        new RegExp(`^qscope: ${effect}.*, and there is no terminal to confirm it: give --yes to confirm\n$`),
      )
      // Fails if the object is already gone.
      expect(await runHere(confirmed)).toMatchObject({ code: 0 })
    },
  )
})
