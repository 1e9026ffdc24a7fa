import { setTimeout as sleep } from 'node:timers/promises'
import { Command } from 'commander'
import { RELOAD_EVERY_MS } from '../../app/keyring-reload.ts'
import { KEY_PURPOSES, type KeyPurpose } from '../../crypto/keyring.ts'
import { changeKeyringFile } from '../../crypto/keyring-file.ts'
import { withActive, withNewKey } from '../../crypto/keyring-rotation.ts'
import type { KeyId } from '../../domain/ids.ts'
import { readConfig } from '../environment.ts'
import { createOutput } from '../output.ts'
import { UsageError } from '../usage-error.ts'
import { keyringPath } from './keyring-path.ts'
import { purposeOption } from './purpose-option.ts'

interface Options {
  readonly json?: boolean
  readonly purpose?: KeyPurpose[]
  readonly prepare?: boolean
  readonly now?: boolean
}

/** Longer than any server that shares the file needs to read it again. */
const UNTIL_READ_MS = 2 * RELOAD_EVERY_MS + 1_000

export function keyringRotate(): Command {
  return new Command('rotate')
    .description('add a fresh key, let running servers read it, and make it the active one; the old ones still check')
    .addOption(purposeOption())
    .option('--prepare', 'only add it: for several copies of the file, see keyring activate')
    .option('--now', 'on a database server too: every instance reads this very file')
    .option('--json', 'print one JSON document')
    .action(async (options: Options) => {
      const { prepare = false, now = false, purpose: purposes = KEY_PURPOSES } = options
      if (!prepare && !now && !readConfig().database.embedded) {
        throw new UsageError(
          'other instances may have copies of the keyring: use --prepare, distribute the file, then keyring activate; or --now if all of them read this very file',
        )
      }
      const path = keyringPath()
      const added = await prepareKeys(path, purposes)
      if (!prepare) {
        // A key that makes something is to be known wherever it is checked.
        await sleep(UNTIL_READ_MS)
        await changeKeyringFile(path, (material) => [...added.values()].reduce(withActive, material))
      }
      const keys = [...added].map(([purpose, id]) => ({ purpose, id, active: !prepare }))
      createOutput(options.json ?? false).answer(
        () => ({ file: path, keys }),
        () => keys.map(({ purpose, id }) => describe(purpose, id, prepare)).join('\n'),
      )
    })
}

async function prepareKeys(path: string, purposes: readonly KeyPurpose[]): Promise<ReadonlyMap<KeyPurpose, KeyId>> {
  const added = new Map<KeyPurpose, KeyId>()
  await changeKeyringFile(path, (material) =>
    purposes.reduce((before, purpose) => {
      const { id, material: after } = withNewKey(before, purpose)
      added.set(purpose, id)
      return after
    }, material),
  )
  return added
}

function describe(purpose: KeyPurpose, id: KeyId, prepare: boolean): string {
  return prepare
    ? `${purpose} key ${id} prepared; when every instance has the file: qscope keyring activate ${id}`
    : `${purpose} key ${id} is active; the ones before it still check`
}
