import { execFile } from 'node:child_process'
import { chmodSync, mkdtempSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { drawKeyMaterial } from '../../src/crypto/keyring.ts'
import {
  changeKeyringFile,
  completeKeyringFile,
  createKeyringFile,
  KeyringFileError,
  readKeyringFile,
} from '../../src/crypto/keyring-file.ts'

const newFolder = () => mkdtempSync(join(tmpdir(), 'qscope-keyring-'))
const KEY = Buffer.alloc(32, 7).toString('base64')

function keyringText(change: (document: Record<string, unknown>) => void = () => undefined): string {
  const document = {
    format: 'qscope-keyring/1',
    pepper: { active: 'p1', keys: { p0: KEY, p1: KEY } },
    audit: { active: 'a1', keys: { a1: KEY } },
    encryption: { active: 'e1', keys: { e1: KEY } },
    revocation: { active: 'r1', keys: { r1: KEY } },
  }
  change(document)
  return JSON.stringify(document)
}

function readText(text: string) {
  const path = join(newFolder(), 'keyring.json')
  writeFileSync(path, text, { mode: 0o600 })
  return readKeyringFile(path)
}

describe('a keyring file', () => {
  test('reads back its content, and is accessible only to its owner', () => {
    const folder = newFolder()
    const path = join(folder, 'sub', 'keyring.json')
    const material = drawKeyMaterial()
    expect(createKeyringFile(path, material)).toEqual(material)
    expect(readKeyringFile(path)).toEqual({ material, warning: null })
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(readdirSync(join(folder, 'sub'))).toEqual(['keyring.json'])
  })

  test.each([0o000, 0o022, 0o077, 0o277])(
    'and its folders are private to their owner under umask %o',
    async (umask) => {
      const folder = join(newFolder(), 'one', 'two')
      const path = join(folder, 'keyring.json')
      const modeOf = (file: string) => statSync(file).mode & 0o777
      const before = process.umask(umask)
      try {
        createKeyringFile(path, drawKeyMaterial())
        expect([modeOf(path), modeOf(folder), modeOf(join(folder, '..'))]).toEqual([0o600, 0o700, 0o700])
        await changeKeyringFile(path, (material) => material)
        expect(modeOf(path)).toBe(0o600)
        expect(readdirSync(folder)).toEqual(['keyring.json'])
      } finally {
        process.umask(before)
      }
    },
  )

  test('is absent as null', () => {
    expect(readKeyringFile(join(newFolder(), 'none.json'))).toBeNull()
  })

  test('that exists is not overwritten: the second process gets the keys of the first', () => {
    const path = join(newFolder(), 'keyring.json')
    const first = createKeyringFile(path, drawKeyMaterial())
    expect(createKeyringFile(path, drawKeyMaterial())).toEqual(first)
  })

  test('created by several processes at once has one set of keys, which all of them use', async () => {
    const folder = newFolder()
    const path = join(folder, 'keyring.json')
    const script = `
      import { drawKeyMaterial } from ${JSON.stringify(join(process.cwd(), 'src/crypto/keyring.ts'))}
      import { createKeyringFile } from ${JSON.stringify(join(process.cwd(), 'src/crypto/keyring-file.ts'))}
      console.log(createKeyringFile(process.argv[1], drawKeyMaterial()).pepper.active)`
    const run = () => promisify(execFile)(process.execPath, ['--input-type=module', '-e', script, path])
    const answers = await Promise.all(Array.from({ length: 8 }, run))
    const active = readKeyringFile(path)?.material.pepper.active
    expect(new Set(answers.map(({ stdout }) => stdout.trim()))).toEqual(new Set([active]))
    expect(readdirSync(folder)).toEqual(['keyring.json'])
  }, 300_000)

  test('open to other users is used, with a warning and the remedy', () => {
    const path = join(newFolder(), 'keyring.json')
    createKeyringFile(path, drawKeyMaterial())
    chmodSync(path, 0o640)
    expect(readKeyringFile(path)?.warning).toBe(
      `the keyring file ${path} is open to other users; run: chmod 600 ${path}`,
    )
  })

  test('keeps older keys beside the active one', () => {
    expect([...(readText(keyringText())?.material.pepper.keys.keys() ?? [])]).toEqual(['p0', 'p1'])
  })

  test('of an older version is refused until it is completed, once, and keeps what it has', async () => {
    const path = join(newFolder(), 'keyring.json')
    const older = keyringText((document) => delete document['revocation'])
    writeFileSync(path, older, { mode: 0o600 })
    expect(() => readKeyringFile(path)).toThrow(/has no revocation key.*qscope keyring complete/)
    const added = await Promise.all(Array.from({ length: 8 }, () => completeKeyringFile(path)))
    expect(added.flat()).toEqual(['revocation'])
    const material = readKeyringFile(path)?.material
    expect(material?.revocation.keys.size).toBe(1)
    expect([...(material?.pepper.keys.keys() ?? [])]).toEqual(['p0', 'p1'])
    const completed = readFileSync(path, 'utf8')
    expect(await completeKeyringFile(path)).toEqual([])
    expect(readFileSync(path, 'utf8')).toBe(completed)
  })

  test.each<[string, string, RegExp]>([
    ['that is not JSON', `{"pepper": ${KEY}`, /is broken: it is not JSON$/],
    ['of another kind', '[]', /it is not a JSON object/],
    ['of another format', keyringText((d) => (d['format'] = 'x')), /"format" should be "qscope-keyring\/1"/],
    ['without a purpose', keyringText((d) => delete d['audit']), /"audit" should hold/],
    ['with an unknown purpose', keyringText((d) => (d['salt'] = {})), /"salt" is not a purpose/],
    [
      'with a short key',
      keyringText((d) => (d['audit'] = { active: 'a', keys: { a: 'AAAA' } })),
      /audit key a is not 32/,
    ],
    [
      'whose active key is missing',
      keyringText((d) => (d['audit'] = { active: 'b', keys: { a: KEY } })),
      /names no key/,
    ],
    ['with an odd key id', keyringText((d) => (d['audit'] = { active: ' ', keys: { ' ': KEY } })), /key id of "audit"/],
  ])('%s is rejected with the reason, without showing a key', (_what, text, problem) => {
    expect(() => readText(text)).toThrow(KeyringFileError)
    expect(() => readText(text)).toThrow(problem)
    expect(() => readText(text)).not.toThrow(KEY)
  })

  test('in a folder that cannot be created is an error of one line', () => {
    const file = join(newFolder(), 'file')
    writeFileSync(file, '')
    const path = join(file, 'sub', 'keyring.json')
    expect(() => createKeyringFile(path, drawKeyMaterial())).toThrow(
      /^the keyring file .* cannot be created \(E[A-Z]+\)$/,
    )
  })

  test('states its format in the file', () => {
    const path = join(newFolder(), 'keyring.json')
    createKeyringFile(path, drawKeyMaterial())
    expect(JSON.parse(readFileSync(path, 'utf8'))).toMatchObject({ format: 'qscope-keyring/1' })
  })
})
