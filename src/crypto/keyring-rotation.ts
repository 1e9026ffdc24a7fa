import type { KeyId } from '../domain/ids.ts'
import { drawKey, KEY_PURPOSES, type KeyMaterial, type KeyPurpose, type KeySet } from './keyring.ts'
import { KeyringFileError } from './keyring-file.ts'

/** Adds a new key of a purpose. The key is not used before it is active. */
export function withNewKey(material: KeyMaterial, purpose: KeyPurpose) {
  const { id, key, created } = drawKey(purpose)
  const before = material[purpose]
  const set = {
    ...before,
    keys: new Map([...before.keys, [id, key]]),
    created: new Map([...before.created, [id, created]]),
  }
  return { id, material: withSet(material, purpose, set) }
}

/** Makes a key active: it is used from now on. The other keys still verify. */
export function withActive(material: KeyMaterial, id: KeyId): KeyMaterial {
  const purpose = purposeOf(material, id)
  return withSet(material, purpose, { ...material[purpose], active: id })
}

/** Removes a key. Nothing that was made with it can be verified any more. */
export function withoutKey(material: KeyMaterial, id: KeyId): KeyMaterial {
  const purpose = purposeOf(material, id)
  const { active, keys, created } = material[purpose]
  if (id === active) throw new KeyringFileError(`the ${purpose} key ${id} is active: activate another key first`)
  const others = <T>(map: ReadonlyMap<KeyId, T>) => new Map([...map].filter(([other]) => other !== id))
  return withSet(material, purpose, { active, keys: others(keys), created: others(created) })
}

/** The purpose of a key. Throws if the keyring has no key or two keys with this id. */
export function purposeOf(material: KeyMaterial, id: KeyId): KeyPurpose {
  const [purpose, ...more] = KEY_PURPOSES.filter((one) => material[one].keys.has(id))
  if (purpose === undefined) throw new KeyringFileError(`the keyring has no key ${id}`)
  if (more.length > 0)
    throw new KeyringFileError(`the keyring has several keys with the id ${id}: rename them in the file`)
  return purpose
}

/**
 * The keys of a running server after its keyring file changed: the active keys of the new file, and all keys of both, because
 * results of the old keys may be in transit. Throws if an id names different keys.
 */
export function mergedMaterial(before: KeyMaterial, after: KeyMaterial): KeyMaterial {
  return KEY_PURPOSES.reduce((merged, purpose) => {
    const [old, fresh] = [before[purpose], after[purpose]]
    for (const [id, key] of fresh.keys) {
      if (old.keys.get(id)?.equals(key) === false) {
        throw new KeyringFileError(`the ${purpose} key ${id} differs from the one loaded before`)
      }
    }
    const set = {
      active: fresh.active,
      keys: new Map([...old.keys, ...fresh.keys]),
      created: new Map([...old.created, ...fresh.created]),
    }
    return withSet(merged, purpose, set)
  }, after)
}

function withSet(material: KeyMaterial, purpose: KeyPurpose, set: KeySet): KeyMaterial {
  return { ...material, [purpose]: set }
}
