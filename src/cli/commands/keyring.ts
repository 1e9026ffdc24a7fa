import { existsSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { Command, type Option } from 'commander'
import { databaseKeyReferences, type KeyReferences, openKeyringFile, RELOAD_INTERVAL_MS } from '../../app/keyring.ts'
import type { Config } from '../../config/config.ts'
import { drawKeyMaterial, KEY_PURPOSES, type KeyPurpose, type Keyring } from '../../crypto/keyring.ts'
import { changeKeyringFile, completeKeyringFile, createKeyringFile } from '../../crypto/keyring-file.ts'
import { purposeOf, withActive, withNewKey, withoutKey } from '../../crypto/keyring-rotation.ts'
import { type KeyId, keyId } from '../../domain/ids.ts'
import { firstLineOf } from '../../message-of.ts'
import { openLog, readConfig } from '../connection/environment.ts'
import { type ConfirmationOptions, confirm, withConfirmation } from '../input/prompt.ts'
import { repeatedChoice, UsageError } from '../options/options.ts'
import { type OutputOptions, withOutput } from '../options/output-options.ts'
import { state, yesNo } from '../output/cell.ts'
import { Output } from '../output/output.ts'
import type { Column } from '../output/table.ts'
import { writeError } from '../output/terminal.ts'

export function keyringCommand(): Command {
  return new Command('keyring')
    .description('manage the keyring, the file of keys outside the database')
    .addCommand(createCommand())
    .addCommand(completeCommand())
    .addCommand(statusCommand())
    .addCommand(rotateCommand())
    .addCommand(activateCommand())
    .addCommand(removeCommand())
}

/** The path of the configured keyring file. */
function keyringPath({ keyringFile }: Config): string {
  if (keyringFile === null) throw new Error('the keyring is in memory only: set QSCOPE_KEYRING_FILE')
  return keyringFile
}

function createCommand(): Command {
  return withOutput(new Command('create'))
    .description('create the keyring file with a key of each purpose; refuses if it exists')
    .action((options: OutputOptions) => {
      const path = keyringPath(readConfig())
      const exists = () => new Error(`the keyring file ${path} already exists, and was not changed`)
      if (existsSync(path)) throw exists()
      const drawn = drawKeyMaterial()
      // Another process was first and has written other keys.
      if (createKeyringFile(path, drawn) !== drawn) throw exists()
      const active = Object.fromEntries(KEY_PURPOSES.map((purpose) => [purpose, drawn[purpose].active]))
      new Output(options).answer({
        document: () => ({ file: path, active }),
        text: () => `created ${path}; keep a copy of it separately from the database`,
        names: () => Object.values(active),
      })
    })
}

function completeCommand(): Command {
  return withOutput(new Command('complete'))
    .description('add a key of each purpose that an older file lacks; changes no other key')
    .action(async (options: OutputOptions) => {
      const path = keyringPath(readConfig())
      if (!existsSync(path))
        throw new Error(`the keyring file ${path} does not exist: create it with qscope keyring create`)
      const added = await completeKeyringFile(path)
      new Output(options).answer({
        document: () => ({ file: path, added: [...added] }),
        text: () =>
          added.length === 0
            ? `${path} is complete`
            : `added keys for ${added.join(', ')} to ${path}; copy the file to every instance before you start one`,
        names: () => added,
      })
    })
}

/** `inUse`: whether the database refers to it; `null`: the database is unreachable. */
interface KeyStatus {
  readonly purpose: string
  readonly id: string
  readonly state: 'active' | 'prepared' | 'old' | 'missing'
  readonly created: string | null
  readonly inUse: boolean | null
}

function statusCommand(): Command {
  return withOutput(new Command('status'))
    .description('list the keys, and whether the database refers to them; exit code 1 if one is missing')
    .action(async (options: OutputOptions) => {
      const config = readConfig()
      const keyring = openKeyringFile(config)
      const keys = statusOf(keyring, await referencesOrNull(config, keyring))
      const output = new Output(options)
      output.answer({
        document: () => ({ file: config.keyringFile, keys: keys.map((key) => ({ ...key })) }),
        text: () => output.table(KEY_COLUMNS, keys),
        names: () => keys.map(({ id }) => id),
      })
      if (keys.some(({ state }) => state === 'missing')) process.exitCode = 1
    })
}

const KEY_COLUMNS: readonly Column<KeyStatus>[] = [
  { heading: 'PURPOSE', value: ({ purpose }) => purpose },
  { heading: 'KEY', value: ({ id }) => id, whole: true },
  { heading: 'STATE', value: (key) => state(key.state) },
  { heading: 'CREATED', value: ({ created }) => created },
  { heading: 'IN USE', value: ({ inUse }) => (inUse === null ? 'unknown' : yesNo(inUse)) },
]

/** Keys can be listed without the database. */
async function referencesOrNull(config: Config, keyring: Keyring): Promise<KeyReferences | null> {
  try {
    return await databaseKeyReferences(config, openLog(config, { quiet: true }), keyring)
  } catch (error) {
    writeError(`cannot read from the database which keys it refers to: ${firstLineOf(error)}`)
    return null
  }
}

function statusOf(keyring: Keyring, references: KeyReferences | null): readonly KeyStatus[] {
  return KEY_PURPOSES.flatMap((purpose) => {
    const referred: readonly string[] | null = references?.[purpose] ?? null
    const active = keyring.active(purpose)
    const since = keyring.created(purpose, active)
    const present = keyring.ids(purpose).map((id): KeyStatus => {
      const created = keyring.created(purpose, id)
      const isLater = created !== null && since !== null && created > since
      const state = id === active ? 'active' : isLater ? 'prepared' : 'old'
      const inUse = referred === null ? null : referred.includes(id)
      return { purpose, id, state, created: created === null ? null : new Date(created).toISOString(), inUse }
    })
    const missing = (referred ?? [])
      .filter((id) => !present.some((key) => key.id === id))
      .map((id): KeyStatus => ({ purpose, id, state: 'missing', created: null, inUse: true }))
    return [...present, ...missing]
  })
}

interface RotateOptions extends OutputOptions {
  readonly purpose?: KeyPurpose[]
  readonly prepare?: boolean
  readonly now?: boolean
}

/** Longer than the interval at which servers that share the file read it again. */
const UNTIL_READ_MS = 2 * RELOAD_INTERVAL_MS + 1_000

function rotateCommand(): Command {
  return withOutput(new Command('rotate'))
    .description('add a key, wait until running servers have read it, and activate it; old keys still verify')
    .addOption(purposeOption())
    .option('--prepare', 'only add the key, because the file has several copies; then run keyring activate')
    .option('--now', 'confirm that all instances read this file, with a database server')
    .action(async (options: RotateOptions) => {
      const { prepare = false, now = false, purpose: purposes = KEY_PURPOSES } = options
      const config = readConfig()
      if (!prepare && !now && !config.database.embedded) {
        throw new UsageError(
          'other instances may have copies of the keyring: run with --prepare, distribute the file, then run qscope keyring activate; or give --now if all instances read this same file',
        )
      }
      const path = keyringPath(config)
      const added = await prepareKeys(path, purposes)
      if (!prepare) {
        // Every server must know a key before one of them uses it.
        await sleep(UNTIL_READ_MS)
        await changeKeyringFile(path, (material) => [...added.values()].reduce(withActive, material))
      }
      const keys = [...added].map(([purpose, id]) => ({ purpose, id, active: !prepare }))
      new Output(options).answer({
        document: () => ({ file: path, keys }),
        text: () => keys.map(({ purpose, id }) => describeRotation(purpose, id, prepare)).join('\n'),
        names: () => keys.map(({ id }) => id),
      })
    })
}

/** The purposes that a command applies to. Default: all. */
function purposeOption(): Option {
  return repeatedChoice('--purpose <purpose>', 'only this purpose', KEY_PURPOSES)
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

function describeRotation(purpose: KeyPurpose, id: KeyId, prepare: boolean): string {
  return prepare
    ? `${purpose} key ${id} prepared; when every instance has the file, run qscope keyring activate ${id}`
    : `${purpose} key ${id} is active; older keys still verify`
}

function activateCommand(): Command {
  return withOutput(new Command('activate'))
    .argument('<key id>', 'a key of the keyring')
    .description('activate a key; every instance must have it already')
    .action(async (text: string, options: OutputOptions) => {
      const id = keyId(text)
      const path = keyringPath(readConfig())
      const material = await changeKeyringFile(path, (before) => withActive(before, id))
      const purpose = purposeOf(material, id)
      new Output(options).answer({
        document: () => ({ file: path, keys: [{ purpose, id, active: true }] }),
        text: () => `${purpose} key ${id} is active`,
        names: () => [id],
      })
    })
}

function removeCommand(): Command {
  return withConfirmation(withOutput(new Command('remove')))
    .argument('<key id>', 'a key of the keyring')
    .description('remove a key, unless it is active or the database refers to it')
    .action(async (text: string, options: OutputOptions & ConfirmationOptions) => {
      const id = keyId(text)
      const config = readConfig()
      const path = keyringPath(config)
      const needed = await databaseKeyReferences(config, openLog(config, { quiet: true }), openKeyringFile(config))
      await confirm(options, `This removes the key ${id} from ${path} for good`)
      await changeKeyringFile(path, (material) => {
        const purpose = purposeOf(material, id)
        if (needed[purpose].includes(id))
          throw new Error(`the ${purpose} key ${id} is not removed, because the database refers to it`)
        return withoutKey(material, id)
      })
      new Output(options).answer({
        document: () => ({ file: path, removed: id }),
        text: () => `removed ${id} from the file; running servers use it until they restart`,
        names: () => [id],
      })
    })
}
