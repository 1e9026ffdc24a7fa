import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import { SecretsDirectory } from '../../src/cli/apply/secrets-directory.ts'

describe('the directory of secrets', () => {
  let home = ''
  const folder = () => join(home, 'secrets')
  const pending = () => join(folder(), 'orders.pending')

  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), 'qscope-secrets-'))
    mkdirSync(folder(), { mode: 0o700 })
  })

  test('holds a secret for its owner alone, whoever made its file before', () => {
    writeFileSync(pending(), '')
    chmodSync(pending(), 0o644)
    const secrets = new SecretsDirectory(folder(), 'file')
    secrets.prepare('orders').deliver('SECRET')
    secrets.close()
    const file = join(folder(), 'orders.secret')
    expect(readFileSync(file, 'utf8')).toBe('SECRET')
    expect(statSync(file).mode & 0o777).toBe(0o600)
  })

  test('has no place where a link leads elsewhere, and says so before a secret is drawn', () => {
    const elsewhere = join(home, 'elsewhere')
    symlinkSync(elsewhere, pending())
    const secrets = new SecretsDirectory(folder(), 'file')
    expect(() => secrets.prepare('orders')).toThrow('ELOOP')
    secrets.close()
    expect(existsSync(elsewhere)).toBe(false)
  })

  test('is refused while another apply has just locked it, and has yet to write who it is', () => {
    writeFileSync(join(folder(), '.lock'), '')
    const secrets = new SecretsDirectory(folder(), 'file')
    expect(() => secrets.prepare('orders')).toThrow('another qscope apply (process unknown)')
    secrets.close()
    expect(existsSync(join(folder(), '.lock'))).toBe(true)
  })
})
