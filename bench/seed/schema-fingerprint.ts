import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** Of what the seed itself makes. */
const SEED_FORMAT = 1

const MIGRATIONS = join(import.meta.dirname, '..', '..', 'src', 'stores', 'sql', 'migrate', 'steps')

/** Changes with the migrations: what was seeded under others is seeded anew. */
export function schemaFingerprint(): string {
  const hash = createHash('sha256').update(String(SEED_FORMAT))
  for (const file of readdirSync(MIGRATIONS).toSorted()) hash.update(readFileSync(join(MIGRATIONS, file)))
  return hash.digest('hex')
}
