import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { emptyFolder, qscope } from './process.ts'

const TIMEOUT = 300_000

interface KeyRow {
  readonly purpose: string
  readonly id: string
  readonly state: string
  readonly inUse: boolean | null
}

describe('qscope keyring', () => {
  const folder = emptyFolder()
  const path = join(folder, 'data', 'qscope.keyring.json')
  const json = async (...args: string[]) => {
    const { code, stdout, stderr } = await qscope(folder, [...args, '--json'])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    return JSON.parse(stdout)
  }
  const keys = async (state: string): Promise<KeyRow[]> =>
    (await json('keyring', 'status')).keys.filter((key: KeyRow) => key.state === state)

  beforeAll(async () => {
    await json('keyring', 'create')
  }, TIMEOUT)

  test(
    'creates a file private to its owner, and never replaces one',
    async () => {
      const text = readFileSync(path, 'utf8')
      expect(statSync(path).mode & 0o777).toBe(0o600)
      const again = await qscope(folder, ['keyring', 'create'])
      expect(again).toMatchObject({ code: 1, stdout: '' })
      expect(again.stderr).toMatch(/^qscope: the keyring file .* already exists, and was not changed\n$/)
      expect(readFileSync(path, 'utf8')).toBe(text)
      // Reading does not create a database.
      expect((await keys('active')).map(({ inUse }) => inUse)).toEqual([false, false, false, false])
      expect(existsSync(join(folder, 'data', 'qscope.db'))).toBe(false)
    },
    TIMEOUT,
  )

  test(
    'prepares, activates and removes keys, and keeps those that the database refers to',
    async () => {
      await json('migrate', 'up')
      const { client, clientSecret } = await json('client', 'create', '--admin')
      const mint = ['token', 'mint', '--client-id', client.clientId, '--client-secret', clientSecret]
      const prepared = await json('keyring', 'rotate', '--prepare', '--purpose', 'pepper', '--purpose', 'audit')
      const [pepper, audit] = prepared.keys
      expect(await keys('prepared')).toMatchObject([
        { id: pepper.id, inUse: false },
        { id: audit.id, inUse: false },
      ])
      await json('keyring', 'activate', pepper.id)
      await json('keyring', 'activate', audit.id)
      await json(...mint)
      expect(await json('audit', 'verify')).toMatchObject({ valid: true, verifiedChains: '2' })

      const old = await keys('old')
      expect(old).toMatchObject([
        { purpose: 'pepper', inUse: true },
        { purpose: 'audit', inUse: true },
      ])
      for (const { id } of old) {
        const refused = await qscope(folder, ['keyring', 'remove', id, '--yes'])
        expect(refused.code).toBe(1)
        expect(refused.stderr).toContain('is not removed')
      }
      const active = await qscope(folder, ['keyring', 'remove', audit.id, '--yes'])
      expect(active.code).toBe(1)

      await json('client', 'rotate-secret', client.clientId, '--overlap', '0s')
      const unused = await json('keyring', 'rotate', '--prepare', '--purpose', 'encryption')
      await json('keyring', 'remove', unused.keys[0].id, '--yes')
      expect(await keys('prepared')).toEqual([])
    },
    TIMEOUT,
  )

  test(
    'completes a file of an older version, and reports what is missing before',
    async () => {
      const older = emptyFolder()
      const file = join(older, 'data', 'qscope.keyring.json')
      await qscope(older, ['keyring', 'create'])
      const { revocation: _later, ...before } = JSON.parse(readFileSync(file, 'utf8'))
      writeFileSync(file, JSON.stringify(before))
      const refused = await qscope(older, ['keyring', 'status'])
      expect(refused.code).toBe(1)
      expect(refused.stderr).toMatch(/has no revocation key, which this version requires: run qscope keyring complete/)
      const completed = await qscope(older, ['keyring', 'complete', '--json'])
      expect(JSON.parse(completed.stdout)).toMatchObject({ added: ['revocation'] })
      expect(JSON.parse((await qscope(older, ['keyring', 'complete', '--json'])).stdout)).toMatchObject({ added: [] })
      expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject(before)
    },
    TIMEOUT,
  )

  test(
    'never shows a key',
    async () => {
      const secrets = [...readFileSync(path, 'utf8').matchAll(/[A-Za-z0-9+/]{43}=/g)].map(([text]) => text)
      expect(secrets.length).toBeGreaterThan(3)
      const outcomes = await Promise.all([
        qscope(folder, ['keyring', 'status']),
        qscope(folder, ['keyring', 'status', '--json']),
        qscope(folder, ['keyring', 'rotate', '--prepare']),
        qscope(folder, ['keyring', 'activate', 'nope']),
      ])
      for (const { stdout, stderr } of outcomes) {
        for (const secret of secrets) expect(stdout + stderr).not.toContain(secret)
      }
    },
    TIMEOUT,
  )

  test(
    'reports a key that the database refers to and the file lacks',
    async () => {
      const other = emptyFolder()
      await qscope(other, ['keyring', 'create'])
      const env = { QSCOPE_KEYRING_FILE: join(other, 'data', 'qscope.keyring.json') }
      const { code, stdout } = await qscope(folder, ['keyring', 'status', '--json'], env)
      expect(code).toBe(1)
      const missing = JSON.parse(stdout).keys.filter((key: KeyRow) => key.state === 'missing')
      expect(new Set(missing.map(({ purpose }: KeyRow) => purpose))).toEqual(new Set(['pepper', 'audit']))
    },
    TIMEOUT,
  )

  test.each([
    [['keyring', 'rotate', '--purpose', 'salt'], {}],
    [['keyring', 'activate'], {}],
    [['keyring', 'rotate'], { QSCOPE_DATABASE_URL: 'mysql://a:b@127.0.0.1:1/c', QSCOPE_KEYRING_FILE: 'x.json' }],
  ])('%j is wrong usage', async (args, env: Record<string, string>) => {
    expect(await qscope(folder, args, env)).toMatchObject({ code: 2, stdout: '' })
  })
})
