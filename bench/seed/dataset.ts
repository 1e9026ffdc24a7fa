import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { sizeName } from '../cells.ts'
import type { BenchDatabase } from '../databases/bench-database.ts'
import { benchDirectory } from '../directory.ts'
import type { ClientCredentials } from '../server/credentials.ts'
import { fillTokens } from './fill-tokens.ts'
import type { KnownTokens } from './known-tokens.ts'
import { schemaFingerprint } from './schema-fingerprint.ts'
import { setUpClients } from './set-up-clients.ts'
import { type TokenFill, tokenIdOf } from './token-columns.ts'

const DAY = 86_400_000
const FAR = 3_650 * DAY

/** A seeded database and the values that the load needs. */
export interface Dataset {
  readonly fingerprint: string
  readonly fill: TokenFill
  readonly admin: ClientCredentials
  /** The resource server of the tokens. */
  readonly caller: ClientCredentials
  readonly known: KnownTokens
}

export interface OpenedDataset extends Dataset {
  readonly url: string
  readonly keyringFile: string
}

export interface DatasetOptions {
  readonly root: string
  readonly entry: string
  /** Seeds again even if the database exists. */
  readonly fresh: boolean
  readonly tell: (line: string) => void
}

/** Opens the database with this number of tokens. Seeds it if it is missing, and otherwise removes the rows of earlier runs. */
export async function openDataset(
  database: BenchDatabase,
  tokens: number,
  options: DatasetOptions,
): Promise<OpenedDataset> {
  const name = sizeName(tokens)
  const directory = benchDirectory(options.root, `${database.name}-${name}`)
  const manifest = join(directory, 'dataset.json')
  const keyringFile = join(directory, 'qscope.keyring.json')
  const place = { url: database.urlOf(name), keyringFile }
  const fingerprint = schemaFingerprint()
  const kept = options.fresh ? null : readDataset(manifest, fingerprint)
  if (kept !== null) {
    await tidy(database, name, kept)
    return { ...kept, ...place }
  }
  const begun = performance.now()
  options.tell(`seeding ${database.name} with ${name} tokens …`)
  for (const file of [manifest, keyringFile]) rmSync(file, { force: true })
  await database.create(name)
  const clients = await setUpClients({ entry: options.entry, databaseUrl: place.url, keyringFile, workers: 1 })
  const now = Date.now()
  const fill = { tokens, until: now, expiresAt: now + FAR }
  const known = await fillTokens(await database.connect(name, 'fill'), fill, options.tell)
  const dataset: Dataset = { fingerprint, fill, ...clients, known }
  writeFileSync(manifest, JSON.stringify(dataset), { mode: 0o600 })
  options.tell(`seeded in ${Math.round((performance.now() - begun) / 1_000)} s`)
  return { ...dataset, ...place }
}

/** `null`: there is none with this schema. */
function readDataset(file: string, fingerprint: string): Dataset | null {
  if (!existsSync(file)) return null
  // Written by `openDataset`.
  const dataset = JSON.parse(readFileSync(file, 'utf8')) as Dataset
  return dataset.fingerprint === fingerprint ? dataset : null
}

/** Gives every run the same tables. The audit log keeps its events, because it is append-only. */
async function tidy(database: BenchDatabase, name: string, { fill }: Dataset): Promise<void> {
  const connection = await database.connect(name, 'tidy')
  const last = tokenIdOf(fill, fill.tokens - 1)
  await connection.run(`delete from oauth_access_tokens where token_id > '${last}'`)
  for (const table of ['oauth_refresh_tokens', 'oauth_authorization_codes', 'oauth_grants', 'oauth_users']) {
    await connection.run(`delete from ${table}`)
  }
  await connection.close()
}
