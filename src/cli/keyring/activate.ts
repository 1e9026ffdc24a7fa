import { Command } from 'commander'
import { changeKeyringFile } from '../../crypto/keyring-file.ts'
import { purposeOf, withActive } from '../../crypto/keyring-rotation.ts'
import { keyId } from '../../domain/ids.ts'
import { createOutput } from '../output.ts'
import { keyringPath } from './keyring-path.ts'

export function keyringActivate(): Command {
  return new Command('activate')
    .argument('<key id>', 'a key of the keyring')
    .description('make with this key from now on; every instance must have it already')
    .option('--json', 'print one JSON document')
    .action(async (text: string, options: { readonly json?: boolean }) => {
      const id = keyId(text)
      const path = keyringPath()
      const material = await changeKeyringFile(path, (before) => withActive(before, id))
      const purpose = purposeOf(material, id)
      createOutput(options.json ?? false).answer(
        () => ({ file: path, keys: [{ purpose, id, active: true }] }),
        () => `${purpose} key ${id} is active`,
      )
    })
}
