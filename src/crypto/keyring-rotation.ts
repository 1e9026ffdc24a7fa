import type { KeyId } from '../domain/ids.ts'
import { drawKey, KEY_PURPOSES, type KeyMaterial, type KeyPurpose, type KeySet } from './keyring.ts'
import { KeyringFileError } from './keyring-file.ts'

/** Adds a fresh key of a purpose. It checks nothing and makes nothing before it is active. */
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

/** Makes with this key from now on; the others still check. */
export function withActive(material: KeyMaterial, id: KeyId): KeyMaterial {
  const purpose = purposeOf(material, id)
  return withSet(material, purpose, { ...material[purpose], active: id })
}

/** Leaves a key out: nothing that was made with it can be checked any more. */
export function withoutKey(material: KeyMaterial, id: KeyId): KeyMaterial {
  const purpose = purposeOf(material, id)
  const { active, keys, created } = material[purpose]
  if (id === active) throw new KeyringFileError(`the ${purpose} key ${id} is active: activate another key first`)
  const others = <T>(map: ReadonlyMap<KeyId, T>) => new Map([...map].filter(([other]) => other !== id))
  return withSet(material, purpose, { active, keys: others(keys), created: others(created) })
}

/** What a key is for; throws if the keyring has none of this id, or two. */
export function purposeOf(material: KeyMaterial, id: KeyId): KeyPurpose {
  const [purpose, ...more] = KEY_PURPOSES.filter((one) => material[one].keys.has(id))
  if (purpose === undefined) throw new KeyringFileError(`the keyring has no key ${id}`)
  if (more.length > 0)
    throw new KeyringFileError(`the keyring has several keys with the id ${id}: rename them in the file`)
  return purpose
}

/**
 * What a running server uses after its keyring file changed: the active keys of
 * the new one, and the keys of both, since what the old ones made may be under
 * way. Throws if an id means another key than before.
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
