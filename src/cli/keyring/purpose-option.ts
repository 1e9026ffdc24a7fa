import { InvalidArgumentError, Option } from 'commander'
import { KEY_PURPOSES, type KeyPurpose } from '../../crypto/keyring.ts'

/** Which keys a command is about; all of them unless told. */
export function purposeOption(): Option {
  return new Option('--purpose <purpose>', `only this purpose: ${KEY_PURPOSES.join(', ')} (may be repeated)`).argParser(
    (text: string, before: readonly KeyPurpose[] | undefined) => {
      const found = KEY_PURPOSES.find((purpose) => purpose === text)
      if (found === undefined) throw new InvalidArgumentError(`It should be one of ${KEY_PURPOSES.join(', ')}.`)
      return [...new Set([...(before ?? []), found])]
    },
  )
}
