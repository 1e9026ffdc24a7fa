import { existsSync } from 'node:fs'
import { Command } from 'commander'
import { drawKeyMaterial, KEY_PURPOSES } from '../../crypto/keyring.ts'
import { createKeyringFile } from '../../crypto/keyring-file.ts'
import { createOutput } from '../output.ts'
import { keyringPath } from './keyring-path.ts'

export function keyringCreate(): Command {
  return new Command('create')
    .description('make the keyring file, with a key of each purpose; refuses if there is one')
    .option('--json', 'print one JSON document')
    .action((options: { readonly json?: boolean }) => {
      const path = keyringPath()
      const taken = () => new Error(`there is a keyring file ${path} already: it is left as it is`)
      if (existsSync(path)) throw taken()
      const drawn = drawKeyMaterial()
      // Whoever was first has written other keys.
      if (createKeyringFile(path, drawn) !== drawn) throw taken()
      const active = Object.fromEntries(KEY_PURPOSES.map((purpose) => [purpose, drawn[purpose].active]))
      createOutput(options.json ?? false).answer(
        () => ({ file: path, active }),
        () => `${path} created; keep a copy of it, apart from the database`,
      )
    })
}
