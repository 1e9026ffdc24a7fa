import { existsSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { emptyFolder, folderWithDatabase, qscope } from './process.ts'

const TIMEOUT = 300_000

describe('the command line on an embedded database', () => {
  const folder = emptyFolder()
  let clientId = ''
  let clientSecret = ''
  const json = async (...args: string[]) => {
    const { code, stdout, stderr } = await qscope(folder, [...args, '--json'])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    return JSON.parse(stdout)
  }
  const asClient = () => ['--client-id', clientId, '--client-secret', clientSecret]

  beforeAll(async () => {
    expect((await qscope(folder, ['migrate', 'up'])).code).toBe(0)
    const made = await json('client', 'create', '--admin')
    clientId = made.client.clientId
    clientSecret = made.clientSecret
  }, TIMEOUT)

  test('creates a keyring private to its owner', () => {
    expect(statSync(join(folder, 'data', 'qscope.keyring.json')).mode & 0o777).toBe(0o600)
    expect(clientSecret).toMatch(/^qcs_[0-9A-Za-z]{49}$/)
  })

  test(
    'mints, introspects and revokes a token, with audit events',
    async () => {
      const { token } = await json('token', 'mint', ...asClient(), '--scope', 'qscope:audit.read', '--lifetime', '5m')
      expect(token).toMatchObject({
        tokenType: 'Bearer',
        scopes: ['qscope:audit.read'],
        expiresIn: expect.stringMatching(/^(300|299)s$/),
      })

      const { claims } = await json('token', 'verify', token.accessToken, '--scope', 'qscope:audit.read')
      expect(claims).toMatchObject({ clientId, subject: clientId, tokenId: token.tokenId })
      expect(await json('token', 'introspect', token.accessToken)).toMatchObject({ active: true })

      expect(await json('token', 'revoke', token.accessToken, ...asClient())).toEqual({})
      expect(await json('token', 'introspect', token.accessToken)).toEqual({ active: false })

      const { events } = await json('audit', 'list')
      expect(events.map((event: { eventType: string }) => event.eventType)).toEqual([
        'token.revoked',
        'token.issued',
        'client.registered',
      ])
    },
    TIMEOUT,
  )

  test(
    'revokes by value as the operator, and lists the events of the tokens',
    async () => {
      const { token } = await json('token', 'mint', ...asClient())
      expect(await json('token', 'revoke', token.accessToken, '--reason', 'test')).toEqual({ revokedCount: 1 })
      const { tokens } = await json('token', 'list', '--of-client', clientId)
      expect(tokens[0]).toMatchObject({ tokenId: token.tokenId, active: false })
      expect((await json('token', 'list', '--active')).tokens).toEqual([])
    },
    TIMEOUT,
  )

  test(
    'registers a client with all options, rotates its secret, disables, enables and deletes it',
    async () => {
      const options = ['--id', 'orders', '--name', 'Orders', '--grant', 'client_credentials', '--scope', 'orders.read']
      const more = ['--scope', 'orders.write', '--access-token-ttl', '10m', '--metadata', 'team=shop']
      const made = await json('client', 'create', ...options, ...more)
      expect(made.client).toMatchObject({
        clientId: 'orders',
        displayName: 'Orders',
        scopes: ['orders.read', 'orders.write'],
        config: { accessTokenTtl: '600s', metadata: { team: 'shop' } },
      })
      const rotated = await json('client', 'rotate-secret', 'orders', '--overlap', '1h')
      expect(rotated.clientSecret).not.toBe(made.clientSecret)
      expect((await json('client', 'disable', 'orders')).client.enabled).toBe(false)
      expect((await json('client', 'list', '--disabled')).clients).toHaveLength(1)
      expect((await json('client', 'enable', 'orders')).client.enabled).toBe(true)
      await json('client', 'delete', 'orders', '--yes')
      expect((await qscope(folder, ['client', 'get', 'orders'])).code).toBe(1)
    },
    TIMEOUT,
  )

  test(
    'reads a secret from a file, from standard input or from the environment',
    async () => {
      const path = join(folder, 'secret')
      writeFileSync(path, `${clientSecret}\n`)
      const mint = ['token', 'mint', '--client-id', clientId]
      const outcomes = await Promise.all([
        qscope(folder, [...mint, '--client-secret-file', path]),
        qscope(folder, [...mint, '--client-secret', '-'], {}, `${clientSecret}\n`),
        qscope(folder, ['token', 'mint'], { QSCOPE_CLIENT_ID: clientId, QSCOPE_CLIENT_SECRET: clientSecret }),
      ])
      expect(outcomes.map(({ code }) => code)).toEqual([0, 0, 0])
    },
    TIMEOUT,
  )

  test(
    'takes a signing key through all states, and signs with it',
    async () => {
      const { key } = await json('keys', 'prepare')
      expect(key).toMatchObject({ algorithm: 'SIGNING_ALGORITHM_ES256', state: 'SIGNING_KEY_STATE_PREPARED' })
      expect((await json('keys', 'activate', key.keyId)).key.state).toBe('SIGNING_KEY_STATE_ACTIVE')
      const format = ['--grant', 'client_credentials', '--access-token-format', 'jwt']
      const made = await json('client', 'create', '--id', 'signed', ...format)
      const as = ['--client-id', 'signed', '--client-secret', made.clientSecret]
      const { token } = await json('token', 'mint', ...as)
      expect(JSON.parse(Buffer.from(token.accessToken.split('.')[0], 'base64url').toString()).kid).toBe(key.keyId)
      const next = await json('keys', 'prepare', '--algorithm', 'es256')
      const early = await qscope(folder, ['keys', 'activate', next.key.keyId])
      expect(early.stderr).toMatch(
        /^qscope: RESOURCE_CONFLICT: The signing key cannot be activated before 20\S+Z, because /,
      )
      expect((await json('keys', 'retire', key.keyId, '--yes')).key.state).toBe('SIGNING_KEY_STATE_RETIRED')
      expect(await json('token', 'introspect', token.accessToken)).toMatchObject({ active: true })
      expect((await json('keys', 'revoke', key.keyId, '--yes', '--reason', 'test')).key.state).toBe(
        'SIGNING_KEY_STATE_REVOKED',
      )
      expect(await json('token', 'introspect', token.accessToken)).toEqual({ active: false })
      const { stdout } = await qscope(folder, ['keys', 'list', '--state', 'revoked'])
      expect(stdout).toMatch(new RegExp(`^KEY ID .*\n${key.keyId}  es256 +revoked `))
    },
    TIMEOUT,
  )

  test(
    'reports in one line why a call was refused: reason, description, fields and ray id',
    async () => {
      const wrong = await qscope(folder, ['token', 'mint', '--client-id', clientId, '--client-secret', 'wrong'])
      expect(wrong).toMatchObject({ code: 1, stdout: '' })
      expect(wrong.stderr).toMatch(
        /^qscope: OAUTH_INVALID_CLIENT: Client authentication failed\. [^(]* \(ray id [\w-]+\)\n$/,
      )
      const invalid = await qscope(folder, ['client', 'create', '--id', '!', '--grant', 'client_credentials'])
      expect(invalid.stderr).toMatch(/^qscope: OAUTH_INVALID_REQUEST: [^[]*: client_id must [^[]* \(ray id [\w-]+\)\n$/)
    },
    TIMEOUT,
  )

  test(
    'prints tables without colours in a pipe',
    async () => {
      const { stdout } = await qscope(folder, ['client', 'list'])
      expect(stdout).toMatch(/^CLIENT ID +NAME +TYPE/)
      expect(stdout).not.toContain('\u001b')
    },
    TIMEOUT,
  )

  test(
    'reports that it is healthy',
    async () => {
      const { healthy, findings } = await json('doctor')
      expect(healthy).toBe(true)
      expect(findings.map((finding: { check: string }) => finding.check)).toContain('schema')
      expect(await json('migrate', 'status')).toMatchObject({ fits: true, pending: [] })
    },
    TIMEOUT,
  )

  test(
    'rejects a keyring that lacks the key, in commands and in the server',
    async () => {
      const other = await folderWithDatabase()
      await qscope(other, ['client', 'create', '--admin'])
      const env = {
        QSCOPE_KEYRING_FILE: join(other, 'data', 'qscope.keyring.json'),
        QSCOPE_GRPC_LISTEN: '127.0.0.1:0',
      }
      for (const args of [['client', 'list'], ['serve']]) {
        const { code, stdout, stderr } = await qscope(folder, args, env)
        expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
        expect(stderr).toMatch(/^qscope: the database refers to the pepper key pepper-[0-9a-f]{8}, which .* lacks/)
      }
    },
    TIMEOUT,
  )

  test(
    'stops without the keyring of the secrets, and names the key',
    async () => {
      const { code, stderr } = await qscope(folder, ['client', 'list'], {
        QSCOPE_KEYRING_FILE: join(folder, 'other.json'),
      })
      expect(code).toBe(1)
      expect(stderr).toMatch(/other\.json does not exist, but the database refers to the pepper key pepper-[0-9a-f]{8}/)
      expect(existsSync(join(folder, 'other.json'))).toBe(false)
    },
    TIMEOUT,
  )
})

test(
  'migrates up and down without clients or keys',
  async () => {
    const folder = emptyFolder()
    const up = await qscope(folder, ['migrate', 'up', '--json'])
    expect(JSON.parse(up.stdout).applied.length).toBeGreaterThan(0)
    const down = await qscope(folder, ['migrate', 'down', '--all', '--yes', '--json'])
    expect(JSON.parse(down.stdout).undone.length).toBeGreaterThan(0)
    expect((await qscope(folder, ['migrate', 'status'])).code).toBe(1)
  },
  TIMEOUT,
)

describe('wrong usage', () => {
  const folder = emptyFolder()

  test.each([
    [['nonsense']],
    [['client', 'get']],
    [['client', 'create', '--nonsense']],
    [['client', 'create', '--grant', 'password']],
    [['client', 'create', '--admin', '--scope', 'x']],
    [['token', 'mint', '--lifetime', 'long']],
    [['token', 'revoke']],
    [['token', 'mint', '--server', 'nowhere']],
    [['client', 'list', '--server', '127.0.0.1:1']],
    [[]],
  ])('%j ends with exit code 2 and changes nothing', async (args) => {
    const { code, stdout } = await qscope(folder, args)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(existsSync(join(folder, 'data'))).toBe(false)
  })

  test('does not include --help', async () => {
    const { code, stdout } = await qscope(folder, ['client', 'create', '--help'])
    expect(code).toBe(0)
    expect(stdout).toContain('--redirect-uri')
  })
})

describe('bad variables', () => {
  const env = { QSCOPE_GRPC_LISTEN: 'here', QSCOPE_LOG_LEVEL: 'loud', QSCOPE_REFLECTION: 'maybe' }

  test.each([[['serve']], [['client', 'list']], [['config']]])(
    'stop %j with exit code 1, and are all named',
    async (args) => {
      const { code, stderr, stdout } = await qscope(emptyFolder(), args, env)
      expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
      const lines = stderr.trim().split('\n')
      expect(lines.map((line) => /^qscope: (\w+): should be/.exec(line)?.[1])).toEqual(Object.keys(env))
    },
  )

  test('are findings of the doctor', async () => {
    const { code, stdout } = await qscope(emptyFolder(), ['doctor', '--json'], env)
    expect(code).toBe(1)
    expect(JSON.parse(stdout).findings).toHaveLength(3)
  })
})
