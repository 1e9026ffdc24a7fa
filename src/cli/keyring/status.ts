import { Command } from 'commander'
import { databaseKeyReferences } from '../../app/app.ts'
import { type KeyReferences, openKeyringFile } from '../../app/open-keyring.ts'
import type { Config } from '../../config/config.ts'
import { KEY_PURPOSES, type Keyring } from '../../crypto/keyring.ts'
import { firstLineOf } from '../../message-of.ts'
import { openLog, readConfig } from '../environment.ts'
import { createOutput } from '../output.ts'
import { table } from '../table.ts'
import { complain } from '../terminal.ts'

/** `inUse`: whether the database refers to it; `null` if the database cannot be asked. */
interface KeyStatus {
  readonly purpose: string
  readonly id: string
  readonly state: 'active' | 'prepared' | 'old' | 'missing'
  readonly created: string | null
  readonly inUse: boolean | null
}

export function keyringStatus(): Command {
  return new Command('status')
    .description('list the keys, and which of them the database refers to; exit code 1 if one of those is missing')
    .option('--json', 'print one JSON document')
    .action(async (options: { readonly json?: boolean }) => {
      const config = readConfig()
      const keyring = openKeyringFile(config)
      const keys = statusOf(keyring, await referencesOrNull(config, keyring))
      const output = createOutput(options.json ?? false)
      output.answer(
        () => ({ file: config.keyringFile, keys: keys.map((key) => ({ ...key })) }),
        () =>
          table(
            ['PURPOSE', 'KEY', 'STATE', 'CREATED', 'IN USE'],
            keys.map(({ purpose, id, state, created, inUse }) => [
              purpose,
              id,
              state,
              created ?? '',
              inUse === null ? 'unknown' : inUse ? 'yes' : 'no',
            ]),
            output.bold,
          ),
      )
      if (keys.some(({ state }) => state === 'missing')) process.exitCode = 1
    })
}

/** The keys can be listed without their database. */
async function referencesOrNull(config: Config, keyring: Keyring): Promise<KeyReferences | null> {
  try {
    return await databaseKeyReferences(config, openLog(config, { quiet: true }), keyring)
  } catch (error) {
    const reason = firstLineOf(error)
    complain(`the database cannot be asked which keys it refers to: ${reason}`)
    return null
  }
}

function statusOf(keyring: Keyring, references: KeyReferences | null): readonly KeyStatus[] {
  return KEY_PURPOSES.flatMap((purpose) => {
    const referred: readonly string[] | null = references?.[purpose] ?? null
    const active = keyring.active(purpose)
    const since = keyring.created(purpose, active)
    const here = keyring.ids(purpose).map((id): KeyStatus => {
      const created = keyring.created(purpose, id)
      const isLater = created !== null && since !== null && created > since
      const state = id === active ? 'active' : isLater ? 'prepared' : 'old'
      const inUse = referred === null ? null : referred.includes(id)
      return { purpose, id, state, created: created === null ? null : new Date(created).toISOString(), inUse }
    })
    const missing = (referred ?? [])
      .filter((id) => !here.some((key) => key.id === id))
      .map((id): KeyStatus => ({ purpose, id, state: 'missing', created: null, inUse: true }))
    return [...here, ...missing]
  })
}
