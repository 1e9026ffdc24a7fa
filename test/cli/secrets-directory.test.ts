import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import { kubernetesSecret, SecretsDirectory } from '../../src/cli/apply/secrets-directory.ts'
import { drawToken } from '../../src/crypto/token.ts'

describe('the directory of secrets', () => {
  let home = ''
  const folder = () => join(home, 'secrets')
  const pending = () => join(folder(), 'orders.pending')

  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), 'qscope-secrets-'))
    mkdirSync(folder(), { mode: 0o700 })
  })

  test('makes the file of a secret private to its owner, also an existing one', () => {
    writeFileSync(pending(), '')
    chmodSync(pending(), 0o644)
    const secrets = new SecretsDirectory(folder(), 'file')
    secrets.prepare('orders').deliver('SECRET')
    secrets.close()
    const file = join(folder(), 'orders.secret')
    expect(readFileSync(file, 'utf8')).toBe('SECRET')
    expect(statSync(file).mode & 0o777).toBe(0o600)
  })

  test.for(['file', 'kubernetes'] as const)('reserves the space of a secret as %s before there is one', (format) => {
    const secrets = new SecretsDirectory(folder(), format)
    writeFileSync(pending(), 'x'.repeat(1_000))
    const delivery = secrets.prepare('orders')
    const { size } = statSync(pending())
    const secret = drawToken('client_secret')
    delivery.deliver(secret)
    secrets.close()
    const [file = ''] = secrets.delivered
    expect(statSync(file).size).toBe(size)
    expect(readFileSync(file, 'utf8')).toBe(format === 'file' ? secret : kubernetesSecret('orders', secret))
  })

  test('does not replace a file that appears while the secret is generated, and keeps the secret', () => {
    const secrets = new SecretsDirectory(folder(), 'file')
    const delivery = secrets.prepare('orders')
    const file = join(folder(), 'orders.secret')
    writeFileSync(file, 'OTHER')
    expect(() => delivery.deliver('SECRET')).toThrow(`the secret is in ${pending()}`)
    secrets.close()
    expect(readFileSync(file, 'utf8')).toBe('OTHER')
    expect(readFileSync(pending(), 'utf8')).toBe('SECRET')
    expect(secrets.isPending('orders')).toBe(true)
    expect(secrets.delivered).toEqual([])
  })

  test('completes a delivery that was interrupted after the secret had its file', () => {
    writeFileSync(join(folder(), 'orders.secret'), 'SECRET')
    linkSync(join(folder(), 'orders.secret'), pending())
    writeFileSync(join(folder(), 'other.pending'), '')
    const secrets = new SecretsDirectory(folder(), 'file')
    expect(secrets.isPending('orders')).toBe(false)
    secrets.completeDeliveries()
    expect(readdirSync(folder())).toEqual(['orders.secret', 'other.pending'])
    expect(secrets.isPending('other')).toBe(true)
  })

  test('rejects links to other places before a secret is generated', () => {
    const elsewhere = join(home, 'elsewhere')
    symlinkSync(elsewhere, pending())
    const secrets = new SecretsDirectory(folder(), 'file')
    expect(() => secrets.prepare('orders')).toThrow(`secrets cannot be written to ${folder()}: ELOOP`)
    secrets.close()
    expect(existsSync(elsewhere)).toBe(false)
  })

  test('is not blocked by the lock of a process with the same id, as in a container that was killed', () => {
    writeFileSync(join(folder(), '.lock'), `${process.pid}\n`)
    const secrets = new SecretsDirectory(folder(), 'file')
    secrets.prepare('orders').deliver('SECRET')
    secrets.close()
    expect(existsSync(join(folder(), '.lock'))).toBe(false)
  })

  test('is excluded from git, also if a process was killed before it wrote that', () => {
    writeFileSync(join(folder(), '.gitignore'), '')
    const secrets = new SecretsDirectory(folder(), 'file')
    secrets.prepare('orders').withdraw()
    secrets.close()
    expect(readFileSync(join(folder(), '.gitignore'), 'utf8')).toBe('*\n')
  })

  test('that cannot be read is an error, not one without pending secrets', () => {
    const notDirectory = join(home, 'file')
    writeFileSync(notDirectory, '')
    const secrets = new SecretsDirectory(notDirectory, 'file')
    expect(() => secrets.isPending('orders')).toThrow('ENOTDIR')
    expect(() => secrets.existingFile('orders')).toThrow('ENOTDIR')
  })

  test('is locked while another apply has not yet written its identity', () => {
    writeFileSync(join(folder(), '.lock'), '')
    const secrets = new SecretsDirectory(folder(), 'file')
    expect(() => secrets.prepare('orders')).toThrow('another qscope apply (process unknown)')
    secrets.close()
    expect(existsSync(join(folder(), '.lock'))).toBe(true)
  })
})
