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

/** A seeded database, and what the load must know of it. */
export interface Dataset {
  readonly fingerprint: string
  readonly fill: TokenFill
  readonly admin: ClientCredentials
  /** The resource server that the tokens are for. */
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
  /** Seed anew even if it is there. */
  readonly fresh: boolean
  readonly tell: (line: string) => void
}

/** The database of so many tokens: seeded if it is not there yet, else rid of what earlier runs left in it. */
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

/** `null` where there is none of this schema. */
function readDataset(file: string, fingerprint: string): Dataset | null {
  if (!existsSync(file)) return null
  // Written by `openDataset`.
  const dataset = JSON.parse(readFileSync(file, 'utf8')) as Dataset
  return dataset.fingerprint === fingerprint ? dataset : null
}

/** Every run begins with the same tables. The audit log keeps what happened: nobody deletes from it. */
async function tidy(database: BenchDatabase, name: string, { fill }: Dataset): Promise<void> {
  const connection = await database.connect(name, 'tidy')
  const last = tokenIdOf(fill, fill.tokens - 1)
  await connection.run(`delete from oauth_access_tokens where token_id > '${last}'`)
  for (const table of ['oauth_refresh_tokens', 'oauth_authorization_codes', 'oauth_grants', 'oauth_users']) {
    await connection.run(`delete from ${table}`)
  }
  await connection.close()
}
