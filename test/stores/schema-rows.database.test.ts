import { describe, expect, onTestFinished, test } from 'vitest'
import { MIGRATIONS } from '../../src/stores/sql/migrate/steps/all.ts'
import type { MigrationStep } from '../../src/stores/sql/migrate/steps/migration-step.ts'
import { databaseKinds, type FreshDatabase } from '../setup/fresh-database.ts'
import { onSchema } from './on-schema.ts'
import { readRows, writeRows, writtenRows } from './representative-rows.ts'

const COUNT = MIGRATIONS.length

for (const kind of databaseKinds) {
  describe.skipIf(!kind.available)(`rows on ${kind.name}`, () => {
    for (const [index, { name }] of MIGRATIONS.entries()) {
      test(`written after ${name} read back the same after each later migration, and after down and up`, async () => {
        const database = await kind.create()
        onTestFinished(() => database.drop())
        const known = MIGRATIONS.slice(0, index + 1)
        const written = await writtenRows(known)
        await up(database, known)
        for (const step of known) await writeRows(database, step)
        expect(await readRows(database, known)).toEqual(written)
        for (let count = index + 2; count <= COUNT; count += 1) {
          await up(database, MIGRATIONS.slice(0, count))
          expect(await readRows(database, known)).toEqual(written)
        }
        await onSchema(database, (migrations) => migrations.down())
        const left = known.slice(0, COUNT - 1)
        expect(await readRows(database, left)).toEqual(await writtenRows(left))
        await up(database, MIGRATIONS)
        expect(await readRows(database, left)).toEqual(await writtenRows(left))
      })
    }
  })
}

async function up(database: FreshDatabase, steps: readonly MigrationStep[]): Promise<void> {
  await onSchema(database, (migrations) => migrations.up(), steps)
}
