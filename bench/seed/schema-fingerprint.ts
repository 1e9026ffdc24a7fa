import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** The version of the seed's own rows. */
const SEED_FORMAT = 1

const MIGRATIONS = join(import.meta.dirname, '..', '..', 'src', 'stores', 'sql', 'migrate', 'steps')

/** Changes with the migrations. Databases with another fingerprint are seeded again. */
export function schemaFingerprint(): string {
  const hash = createHash('sha256').update(String(SEED_FORMAT))
  for (const file of readdirSync(MIGRATIONS).toSorted()) hash.update(readFileSync(join(MIGRATIONS, file)))
  return hash.digest('hex')
}
