import { Command } from 'commander'
import { databaseKeyReferences } from '../../app/app.ts'
import { openKeyringFile } from '../../app/open-keyring.ts'
import { changeKeyringFile } from '../../crypto/keyring-file.ts'
import { purposeOf, withoutKey } from '../../crypto/keyring-rotation.ts'
import { keyId } from '../../domain/ids.ts'
import { openLog, readConfig } from '../environment.ts'
import { createOutput } from '../output.ts'
import { keyringPath } from './keyring-path.ts'

export function keyringRemove(): Command {
  return new Command('remove')
    .argument('<key id>', 'a key of the keyring')
    .description('take a key out; refuses the active one, and one that the database refers to')
    .option('--json', 'print one JSON document')
    .action(async (text: string, options: { readonly json?: boolean }) => {
      const id = keyId(text)
      const config = readConfig()
      const path = keyringPath()
      const needed = await databaseKeyReferences(config, openLog(config, { quiet: true }), openKeyringFile(config))
      await changeKeyringFile(path, (material) => {
        const purpose = purposeOf(material, id)
        if (needed[purpose].includes(id)) throw new Error(`the database refers to the ${purpose} key ${id}: it is kept`)
        return withoutKey(material, id)
      })
      createOutput(options.json ?? false).answer(
        () => ({ file: path, removed: id }),
        () => `${id} removed; servers that run forget it when they start again`,
      )
    })
}
