import { execFile } from 'node:child_process'
import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { drawKeyMaterial, KEY_PURPOSES, Keyring } from '../../src/crypto/keyring.ts'
import { changeKeyringFile, createKeyringFile, readKeyringFile } from '../../src/crypto/keyring-file.ts'
import { mergedMaterial, withActive, withNewKey, withoutKey } from '../../src/crypto/keyring-rotation.ts'
import { keyId } from '../../src/domain/ids.ts'

describe('rotating a key', () => {
  test.each(KEY_PURPOSES)('of %s adds one that is used after its activation, and keeps the others', (purpose) => {
    const before = drawKeyMaterial()
    const { id, material } = withNewKey(before, purpose)
    expect(material[purpose].active).toBe(before[purpose].active)
    const after = withActive(material, id)
    expect(after[purpose].active).toBe(id)
    expect([...after[purpose].keys.keys()]).toEqual([before[purpose].active, id])
    for (const other of KEY_PURPOSES) if (other !== purpose) expect(after[other]).toBe(before[other])
    expect(withoutKey(after, before[purpose].active)[purpose].keys.size).toBe(1)
    expect(() => withoutKey(after, id)).toThrow(/is active: activate another/)
  })

  test('lets secrets and user codes of the old pepper match, and makes new ones with the new', () => {
    const before = drawKeyMaterial()
    const { id, material } = withNewKey(before, 'pepper')
    const [old, fresh] = [new Keyring(before), new Keyring(withActive(material, id))]
    const stored = { keyId: old.active('pepper'), hash: old.hashSecret('secret') }
    expect(fresh.secretMatches('secret', stored)).toBe(true)
    expect(fresh.secretMatches('other', stored)).toBe(false)
    expect(fresh.hashUserCode('BCDFGHJK').keyId).toBe(id)
    expect(fresh.userCodeHashes('BCDFGHJK')).toContainEqual(old.hashUserCode('BCDFGHJK').hash)
  })

  test('rejects a key that does not exist', () => {
    expect(() => withActive(drawKeyMaterial(), keyId('nope'))).toThrow(/no key nope/)
  })
})

describe('a keyring that is read again', () => {
  test('uses the new active keys, and still verifies with removed ones', () => {
    const before = drawKeyMaterial()
    const { id, material } = withNewKey(before, 'pepper')
    const after = withoutKey(withActive(material, id), before.pepper.active)
    const merged = mergedMaterial(before, after)
    expect(merged.pepper.active).toBe(id)
    expect([...merged.pepper.keys.keys()]).toEqual([before.pepper.active, id])
  })

  test('is refused if an id means another key than before', () => {
    const before = drawKeyMaterial()
    const other = drawKeyMaterial()
    const forged = {
      ...before,
      audit: {
        ...before.audit,
        keys: new Map([[before.audit.active, [...other.audit.keys.values()][0] ?? Buffer.alloc(32)]]),
      },
    }
    expect(() => mergedMaterial(before, forged)).toThrow(/differs from the one loaded before/)
  })
})

describe('changing a keyring file', () => {
  const newFile = () => {
    const folder = mkdtempSync(join(tmpdir(), 'qscope-rotation-'))
    const path = join(folder, 'keyring.json')
    createKeyringFile(path, drawKeyMaterial())
    return { folder, path }
  }
  const addPepper = (path: string) => changeKeyringFile(path, (material) => withNewKey(material, 'pepper').material)

  test('keeps its permissions, the dates of its keys, and nothing else in the folder', async () => {
    const { folder, path } = newFile()
    chmodSync(path, 0o640)
    const written = await addPepper(path)
    expect(readKeyringFile(path)?.material).toEqual(written)
    expect(written.pepper.created.size).toBe(2)
    expect(statSync(path).mode & 0o777).toBe(0o640)
    expect(readdirSync(folder)).toEqual(['keyring.json'])
  })

  test('follows a link to it, which stays one', async () => {
    const { folder, path } = newFile()
    const link = join(folder, 'link.json')
    symlinkSync(path, link)
    const written = await addPepper(link)
    expect(readKeyringFile(path)?.material).toEqual(written)
    expect(readdirSync(folder).sort()).toEqual(['keyring.json', 'link.json'])
  })

  test('by several processes at once loses no key', async () => {
    const { folder, path } = newFile()
    const script = `
      import { changeKeyringFile } from ${JSON.stringify(join(process.cwd(), 'src/crypto/keyring-file.ts'))}
      import { withNewKey } from ${JSON.stringify(join(process.cwd(), 'src/crypto/keyring-rotation.ts'))}
      for (let i = 0; i < 5; i += 1) {
        let id
        await changeKeyringFile(process.argv[1], (before) => {
          const { id: fresh, material } = withNewKey(before, 'audit')
          id = fresh
          return material
        })
        console.log(id)
      }`
    const run = () => promisify(execFile)(process.execPath, ['--input-type=module', '-e', script, path])
    const made = (await Promise.all(Array.from({ length: 4 }, run))).flatMap(({ stdout }) => stdout.trim().split('\n'))
    expect(made).toHaveLength(20)
    const kept = [...(readKeyringFile(path)?.material.audit.keys.keys() ?? [])]
    expect(kept).toHaveLength(21)
    expect(kept).toEqual(expect.arrayContaining(made))
    expect(readdirSync(folder)).toEqual(['keyring.json'])
  }, 300_000)

  test('that fails leaves it unchanged, and can be retried', async () => {
    const { folder, path } = newFile()
    const before = readFileSync(path, 'utf8')
    await expect(changeKeyringFile(path, (material) => withActive(material, keyId('nope')))).rejects.toThrow(
      /no key nope/,
    )
    expect(readFileSync(path, 'utf8')).toBe(before)
    expect(readdirSync(folder)).toEqual(['keyring.json'])
    await addPepper(path)
  })

  test('states the remedy if another command did not finish', async () => {
    const { path } = newFile()
    writeFileSync(`${path}.lock`, '')
    await expect(addPepper(path)).rejects.toThrow(/if no such command is running, remove .*\.lock$/)
    rmSync(`${path}.lock`)
    await addPepper(path)
  }, 300_000)

  test('needs the file', async () => {
    await expect(addPepper(join(tmpdir(), 'qscope-none', 'keyring.json'))).rejects.toThrow(
      /^the keyring file .* does not exist: create it/,
    )
  })
})
