import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { emptyFolder, folderWithDatabase, qscope } from './process.ts'

const TIMEOUT = 60_000
const UUID = '01900000-0000-7000-8000-000000000000'
const AS_CLIENT = ['--client-id', 'orders', '--client-secret', 'secret']

const READING = [
  ['client', 'list'],
  ['client', 'get', 'orders'],
  ['token', 'introspect', 'x'],
  ['token', 'verify', 'x'],
  ['token', 'list'],
  ['keys', 'list'],
  ['audit', 'list'],
  ['audit', 'verify'],
  ['purge'],
]

/** Commands whose answers need a key. */
const SEALING = [
  ['audit', 'head'],
  ['audit', 'export'],
]

const WRITING = [
  ['client', 'create', '--admin'],
  ['client', 'disable', 'orders'],
  ['client', 'enable', 'orders'],
  ['client', 'rotate-secret', 'orders', '--yes'],
  ['client', 'delete', 'orders', '--yes'],
  ['token', 'mint', ...AS_CLIENT],
  ['token', 'revoke', '--token-id', UUID],
  ['token', 'introspect', 'x', ...AS_CLIENT],
  ['keys', 'prepare'],
  ['keys', 'activate', UUID],
  ['keys', 'retire', UUID, '--yes'],
  ['keys', 'revoke', UUID, '--yes'],
]

describe('in an empty folder', () => {
  test.each([...READING, ...SEALING, ...WRITING].map((args) => [args.join(' '), args] as const))(
    'qscope %s reports the missing database and how to create it, and creates no file',
    async (_name, args) => {
      const folder = emptyFolder()
      const { code, stdout, stderr } = await qscope(folder, args)
      expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
      expect(stderr).toMatch(/^qscope: there is no database at \.\/data\/qscope\.db: .*migrate up.*--server.*\n$/)
      expect(readdirSync(folder)).toEqual([])
    },
    TIMEOUT,
  )

  test.each([
    [['migrate', 'status'], 1, /^pending +0001/m],
    [['migrate', 'down', '--yes'], 0, /^nothing to undo$/m],
    [['keyring', 'status'], 1, /the keyring file .* does not exist: qscope serve and qscope keyring create make one/],
    [['keyring', 'rotate'], 1, /keyring/],
    [['keyring', 'activate', 'pepper-12345678'], 1, /keyring/],
    [['keyring', 'remove', 'pepper-12345678'], 1, /the keyring file \S+ does not exist/],
    [['config'], 0, /QSCOPE_DATABASE_URL/],
    [['doctor'], 0, /the first start creates it/],
    [['health'], 1, /50051/],
  ] as const)(
    'qscope %j creates no file',
    async (args, code, said) => {
      const folder = emptyFolder()
      const outcome = await qscope(folder, args)
      expect(outcome.stdout + outcome.stderr).toMatch(said)
      expect(outcome.code).toBe(code)
      expect(readdirSync(folder)).toEqual([])
    },
    TIMEOUT,
  )
})

describe('with a database that has no client yet, and no keyring', () => {
  let folder = ''
  const keyring = () => existsSync(join(folder, 'data', 'qscope.keyring.json'))
  beforeAll(async () => {
    folder = await folderWithDatabase()
  }, TIMEOUT)

  test.each([...READING, ['doctor'], ['migrate', 'status']].map((args) => [args.join(' '), args] as const))(
    'qscope %s creates no keyring',
    async (_name, args) => {
      const { stderr } = await qscope(folder, args)
      expect(stderr).not.toMatch(/keyring/)
      expect(keyring()).toBe(false)
    },
    TIMEOUT,
  )

  test.each(SEALING.map((args) => [args.join(' '), args] as const))(
    'qscope %s reports the missing keyring, and creates none',
    async (_name, args) => {
      expect(await qscope(folder, args)).toMatchObject({
        code: 1,
        stdout: '',
        stderr: expect.stringMatching(/the keyring file \S+ does not exist/),
      })
      expect(keyring()).toBe(false)
    },
    TIMEOUT,
  )

  test(
    'the first command that writes a secret creates the keyring, private to its owner',
    async () => {
      expect((await qscope(folder, ['client', 'create', '--admin'])).code).toBe(0)
      expect(statSync(join(folder, 'data', 'qscope.keyring.json')).mode & 0o777).toBe(0o600)
      expect((await qscope(folder, ['client', 'list'])).code).toBe(0)
    },
    TIMEOUT,
  )
})
