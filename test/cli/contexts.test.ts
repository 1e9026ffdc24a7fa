import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import { newContext } from '../../src/cli/contexts/context.ts'
import { ContextStore } from '../../src/cli/contexts/context-store.ts'

describe('the contexts of a user', () => {
  let home = ''
  let store: ContextStore
  const file = (name: string) => join(home, 'qscope', 'contexts', `${name}.json`)
  const mode = (path: string) => statSync(path).mode & 0o777

  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), 'qscope-contexts-'))
    store = ContextStore.ofUser({ XDG_CONFIG_HOME: home })
  })

  test('are in the configuration directory of the user, and a relative one is ignored', () => {
    store.save({ name: 'a', context: newContext('127.0.0.1:1') })
    expect(existsSync(file('a'))).toBe(true)
    // Without the variable HOME, it is the directory of the passwd database.
    expect(ContextStore.ofUser({ XDG_CONFIG_HOME: 'relative' }).names()).toEqual(ContextStore.ofUser({}).names())
  })

  test('are files and folders private to their owner, with any umask', () => {
    const before = process.umask(0)
    try {
      store.save({ name: 'a', context: newContext('127.0.0.1:1') })
      store.use('a')
    } finally {
      process.umask(before)
    }
    const paths = [home, 'qscope', 'qscope/contexts', 'qscope/contexts/a.json', 'qscope/current-context']
    expect(paths.slice(1).map((path) => mode(join(home, path)))).toEqual([0o700, 0o700, 0o600, 0o600])
    expect(readdirSync(join(home, 'qscope', 'contexts'))).toEqual(['a.json'])
  })

  test.each([0o644, 0o640, 0o602, 0o660])('are not read if others can read them: %o', (bits) => {
    store.save({ name: 'a', context: { ...newContext('127.0.0.1:1'), clientSecret: 'SECRET' } })
    chmodSync(file('a'), bits)
    expect(() => store.get('a')).toThrow(`chmod 600 ${file('a')}`)
    chmodSync(file('a'), 0o600)
    expect(store.get('a').clientSecret).toBe('SECRET')
  })

  test.each([
    ['', 'nothing'],
    ['{"format": "qscope-context/1"', 'no JSON'],
    ['{"format": "qscope-context/2", "server": "127.0.0.1:1"}', 'another format'],
    ['{"format": "qscope-context/1", "server": "SECRET"}', 'no address'],
    ['{"format": "qscope-context/1", "server": "127.0.0.1:1", "clientSecrte": "SECRET"}', 'an unknown name'],
  ])('are rejected, and not quoted, if a file contains %j: %s', (text) => {
    mkdirSync(join(home, 'qscope', 'contexts'), { recursive: true })
    writeFileSync(file('a'), text, { mode: 0o600 })
    expect(() => store.get('a')).toThrow(/is not valid: remove it/)
    expect(() => store.get('a')).not.toThrow(/SECRET/)
  })

  test('are found by their names only', () => {
    store.save({ name: 'a', context: newContext('127.0.0.1:1') })
    for (const name of ['../contexts/a', 'b', '', '.a', '-a', 'a/b', 'a'.repeat(65)]) {
      expect(() => store.get(name)).toThrow(/^the context .* does not exist; known contexts: a\. /)
    }
  })

  test('are deleted together with the current setting', () => {
    store.save({ name: 'a', context: newContext('127.0.0.1:1') })
    store.use('a')
    store.delete('a')
    expect([store.names(), store.current()]).toEqual([[], null])
  })

  test('lose nothing under concurrent changes', async () => {
    store.save({ name: 'a', context: { ...newContext('127.0.0.1:1'), clientId: '' } })
    const letters = [...'abcdefghij']
    await Promise.all(
      letters.map((letter) =>
        store.change('a', async (context) => {
          await new Promise((next) => setImmediate(next))
          return { ...context, clientId: context.clientId + letter }
        }),
      ),
    )
    expect([...(store.get('a').clientId ?? '')].toSorted()).toEqual(letters)
    expect(readdirSync(join(home, 'qscope', 'contexts'))).toEqual(['a.json'])
  })

  test('can be changed after a process died during a change', async () => {
    store.save({ name: 'a', context: newContext('127.0.0.1:1') })
    const lock = `${file('a')}.lock`
    writeFileSync(lock, '')
    const longAgo = new Date(Date.now() - 3_600_000)
    utimesSync(lock, longAgo, longAgo)
    await store.change('a', (context) => ({ ...context, clientId: 'b' }))
    expect(JSON.parse(readFileSync(file('a'), 'utf8'))).toMatchObject({ clientId: 'b' })
    expect(existsSync(lock)).toBe(false)
  })

  test('stay unchanged if a change fails', async () => {
    store.save({ name: 'a', context: newContext('127.0.0.1:1') })
    const before = readFileSync(file('a'), 'utf8')
    await expect(store.change('a', () => Promise.reject(new Error('no')))).rejects.toThrow('no')
    expect(readFileSync(file('a'), 'utf8')).toBe(before)
    expect(readdirSync(join(home, 'qscope', 'contexts'))).toEqual(['a.json'])
  })
})
