import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { beforeAll, describe, expect, test } from 'vitest'
import { emptyFolder, qscope } from './process.ts'

const TIMEOUT = 300_000

describe('qscope audit', () => {
  const folder = emptyFolder()
  const file = (name: string) => join(folder, name)
  let mint: string[] = []
  const fine = async (...args: string[]) => {
    const { code, stdout, stderr } = await qscope(folder, args)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    return stdout
  }
  const verify = async (...args: string[]) => {
    const { code, stdout } = await qscope(folder, ['audit', 'verify', '--json', ...args])
    const found = JSON.parse(stdout)
    expect(code).toBe(found.valid ? 0 : 1)
    return found
  }

  beforeAll(async () => {
    await fine('migrate', 'up')
    const { client, clientSecret } = JSON.parse(await fine('client', 'create', '--admin', '--json'))
    mint = ['token', 'mint', '--client-id', client.clientId, '--client-secret', clientSecret]
    await fine(...mint)
    writeFileSync(file('head'), await fine('audit', 'head'))
    writeFileSync(file('head.json'), await fine('audit', 'head', '--json'))
    writeFileSync(file('first.jsonl'), await fine('audit', 'export'))
    await fine(...mint)
    writeFileSync(file('second.jsonl'), await fine('audit', 'export', '--after', file('first.jsonl')))
  }, TIMEOUT)

  test(
    'verifies the log, also against an exported head in a separate file or in an export',
    async () => {
      expect(await fine('audit', 'verify')).toBe('intact: 3 events in 3 chains\n')
      for (const head of ['head', 'head.json', 'first.jsonl', 'second.jsonl']) {
        expect(await verify('--head', file(head))).toMatchObject({ valid: true, verifiedEvents: '3' })
      }
      const piped = await qscope(folder, ['audit', 'verify', '--head', '-'], {}, readFileSync(file('head'), 'utf8'))
      expect(piped.code).toBe(0)
    },
    TIMEOUT,
  )

  test(
    'exports the events since a head, which can be verified elsewhere with only the keyring',
    async () => {
      const lines = (name: string) => readFileSync(file(name), 'utf8').trim().split('\n')
      expect([lines('first.jsonl').length, lines('second.jsonl').length]).toEqual([3, 2])
      expect(JSON.parse(lines('first.jsonl')[0] ?? '')).toMatchObject({ eventType: 'client.registered', sequence: 1 })
      const env = { QSCOPE_KEYRING_FILE: join(folder, 'data', 'qscope.keyring.json') }
      const elsewhere = async (...args: string[]) => await qscope(emptyFolder(), ['audit', 'verify', ...args], env)
      expect(await elsewhere('--file', file('first.jsonl'))).toMatchObject({ code: 0, stderr: '' })
      expect((await elsewhere('--file', file('second.jsonl'))).stderr).toContain(
        'give the head of the earlier one with --head',
      )
      const joined = await elsewhere('--file', file('second.jsonl'), '--head', file('first.jsonl'))
      expect(joined).toMatchObject({ code: 0, stderr: '' })

      const [first = '', second = '', end = ''] = lines('first.jsonl')
      const changed = [first, second.replace('token.issued', 'token.revoked'), end]
      const cut = [first, end]
      for (const [text, kind] of [
        [changed, 'ROW_CHANGED'],
        [cut, 'ROW_MISSING'],
      ] as const) {
        const outcome = await qscope(folder, ['audit', 'verify', '--json', '--file', '-'], {}, text.join('\n'))
        expect(outcome.code).toBe(1)
        expect(JSON.parse(outcome.stdout).breaks).toMatchObject([{ kind: `AUDIT_BREAK_KIND_${kind}` }])
      }
      const headless = await qscope(folder, ['audit', 'verify', '--file', '-'], {}, first)
      expect(headless).toMatchObject({ code: 1, stdout: '' })
    },
    TIMEOUT,
  )

  test(
    'reports where a log was tampered with, and exits with 1',
    async () => {
      const path = join(folder, 'data', 'qscope.db')
      const database = new Sqlite(path)
      database.exec('drop trigger oauth_audit_log_no_update')
      database.exec("update oauth_audit_log set actor = 'somebody' where event_type = 'client.registered'")
      database.exec("update oauth_audit_log set key_id = 'audit-gone' where event_type = 'token.issued'")
      database.close()
      const { code, stdout, stderr } = await qscope(folder, ['audit', 'verify'])
      expect({ code, stderr }).toEqual({ code: 1, stderr: '' })
      expect(stdout).toMatch(/^WHAT +WRITER +PLACE +EVENT +DETAIL\n/)
      expect(stdout).toMatch(/^row_changed /m)
      expect(stdout).toContain('the keyring has no audit key audit-gone')
      expect(stdout).toMatch(/^broken: 3 found; right are 0 events in 0 chains$/m)
    },
    TIMEOUT,
  )
})
