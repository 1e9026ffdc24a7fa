import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** Of what the seed itself makes. */
const SEED_FORMAT = 1

/** Changes with the server's migrations: what was seeded under others is seeded anew. */
export function schemaFingerprint(entry: string): string {
  const directory = join(dirname(entry), 'stores', 'sql', 'migrations')
  const hash = createHash('sha256').update(String(SEED_FORMAT))
  const files = readdirSync(directory).filter((file) => !file.endsWith('.map'))
  for (const file of files.toSorted()) hash.update(readFileSync(join(directory, file)))
  return hash.digest('hex')
}
