import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { emptyFolder, qscope } from '../cli/process.ts'
import { listening } from '../setup/listening.ts'

const TIMEOUT = 120_000
const FREE = { QSCOPE_GRPC_LISTEN: '127.0.0.1:0' }

async function startIn(folder: string, variables: Readonly<Record<string, string>>) {
  const { code, stdout, stderr } = await qscope(folder, ['serve'], { ...FREE, ...variables })
  const lines = stderr.split('\n').filter((line) => line !== '' && !/"level":"(?:info|warn)"/.test(line))
  return { code, stdout, lines }
}

/** The variables of each start, and the line with the reason of its failure. */
const STARTS: Readonly<Record<string, readonly [(folder: string) => Readonly<Record<string, string>>, RegExp]>> = {
  'an address of another machine': [
    () => ({ QSCOPE_GRPC_LISTEN: '192.0.2.1:50051', QSCOPE_INSECURE: '1' }),
    /QSCOPE_GRPC_LISTEN/,
  ],
  'a certificate that is missing': [
    () => ({ QSCOPE_TLS_CERT_FILE: './none.pem', QSCOPE_TLS_KEY_FILE: './none.key' }),
    /^qscope: QSCOPE_TLS_CERT_FILE: \.\/none\.pem/,
  ],
  'an invalid keyring file': [
    (folder) => {
      writeFileSync(join(folder, 'keyring.json'), 'nonsense', { mode: 0o600 })
      return { QSCOPE_KEYRING_FILE: './keyring.json' }
    },
    /^qscope: QSCOPE_KEYRING_FILE: .*keyring\.json/,
  ],
  'a folder for a keyring file': [
    (folder) => {
      mkdirSync(join(folder, 'keyring'))
      return { QSCOPE_KEYRING_FILE: './keyring' }
    },
    /^qscope: QSCOPE_KEYRING_FILE: .*keyring/,
  ],
  'a file that is not a database': [
    (folder) => {
      writeFileSync(join(folder, 'qscope.db'), 'nonsense '.repeat(1_000))
      return { QSCOPE_DATABASE_URL: 'sqlite:./qscope.db' }
    },
    /^qscope: QSCOPE_DATABASE_URL: .*not an SQLite database/,
  ],
  'a database file below a regular file': [
    (folder) => {
      writeFileSync(join(folder, 'file'), '')
      return { QSCOPE_DATABASE_URL: 'sqlite:./file/qscope.db', QSCOPE_KEYRING_FILE: './keyring.json' }
    },
    /^qscope: QSCOPE_DATABASE_URL: /,
  ],
  'a database file whose folder cannot be created': [
    () => ({ QSCOPE_DATABASE_URL: 'sqlite:/proc/none/deep/qscope.db', QSCOPE_KEYRING_FILE: './keyring.json' }),
    /^qscope: QSCOPE_DATABASE_URL: .*\/proc\/none/,
  ],
  'a keyring file whose folder cannot be created': [
    () => ({ QSCOPE_KEYRING_FILE: '/proc/none/deep/keyring.json' }),
    /^qscope: QSCOPE_KEYRING_FILE: .*\/proc\/none/,
  ],
  'a pipe for a database file': [
    (folder) => {
      execFileSync('mkfifo', [join(folder, 'pipe')])
      return { QSCOPE_DATABASE_URL: 'sqlite:./pipe', QSCOPE_KEYRING_FILE: './keyring.json' }
    },
    /^qscope: QSCOPE_DATABASE_URL: .*pipe.*not a regular file/,
  ],
  'a keyring file below a regular file': [
    (folder) => {
      writeFileSync(join(folder, 'file'), '')
      return { QSCOPE_KEYRING_FILE: './file/keyring.json' }
    },
    /^qscope: QSCOPE_KEYRING_FILE: /,
  ],
  'an unreachable database server': [
    () => ({ QSCOPE_DATABASE_URL: 'mysql://u:hunter2@127.0.0.1:1/q', QSCOPE_KEYRING_FILE: './keyring.json' }),
    /^qscope: the database cannot be reached: .*127\.0\.0\.1:1; .*QSCOPE_DATABASE_URL/,
  ],
  'a trusted issuer whose key file is missing': [
    (folder) => {
      const rules = [{ claims: { sub: 'a' }, client_id: 'orders', scopes: ['read'] }]
      const issuers = [{ issuer: 'https://i.example', jwks_file: 'none.json', rules }]
      writeFileSync(join(folder, 'issuers.json'), JSON.stringify({ issuers }))
      return { QSCOPE_TRUSTED_ISSUERS_FILE: './issuers.json' }
    },
    /^qscope: QSCOPE_TRUSTED_ISSUERS_FILE: the jwks_file of https:\/\/i\.example cannot be used: .*none\.json/,
  ],
  'an issuer with a line end': [
    () => ({ QSCOPE_ISSUER: 'https://h.example\n' }),
    /^qscope: QSCOPE_ISSUER: should be an https URL.*not "https:\/\/h\.example\\n": it contains white space/,
  ],
  'an address that cannot be an issuer': [
    () => ({ QSCOPE_GRPC_LISTEN: '[fe80::1%eth0]:50051', QSCOPE_INSECURE: '1' }),
    /^qscope: QSCOPE_ISSUER: should be set/,
  ],
}

describe('a failing start reports the reason in one line that names the variable', () => {
  it.each(Object.entries(STARTS))(
    'for %s',
    async (_what, [prepare, expected]) => {
      const folder = emptyFolder()
      const { code, stdout, lines } = await startIn(folder, prepare(folder))
      expect(lines).toEqual([expect.stringMatching(expected)])
      expect(code).toBe(1)
      expect(stdout).toBe('')
      expect(lines.join()).not.toContain('hunter2')
    },
    TIMEOUT,
  )

  it.each(['QSCOPE_GRPC_LISTEN', 'QSCOPE_HTTP_LISTEN'])(
    'for the address in %s that is in use',
    async (name) => {
      const other = await listening(createServer())
      const { code, lines } = await startIn(emptyFolder(), { [name]: other.address })
      other.close()
      expect(lines).toEqual([expect.stringMatching(new RegExp(`in use; set ${name} to a free port`))])
      expect(code).toBe(1)
    },
    TIMEOUT,
  )
})
