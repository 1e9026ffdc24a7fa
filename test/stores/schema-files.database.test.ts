import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { committedSchema, dumpSchema } from '../../scripts/dump-schema.ts'
import { databaseKinds, type FreshDatabase } from '../setup/fresh-database.ts'
import { catalogOf, runScript } from './catalog.ts'
import { onSchema } from './on-schema.ts'

/** The limit of an index of InnoDB, with four bytes for each character; PostgreSQL has 2,704. */
const INDEX_BYTES = Object.freeze({ mysql: 3_072, postgres: 2_704 })
const BYTE_BY_BYTE = Object.freeze({ mysql: /^utf8mb4_(nopad|0900)_bin$/, postgres: /^C$/ })

test('the committed schema equals that of the migrations', async () => {
  for (const [name, text] of await dumpSchema()) expect(committedSchema(name), name).toBe(text)
})

for (const kind of databaseKinds) {
  describe.skipIf(!kind.available)(`the schema on ${kind.name}`, () => {
    let committed: FreshDatabase
    let migrated: FreshDatabase
    beforeEach(async () => {
      committed = await kind.create()
      migrated = await kind.create()
      await onSchema(migrated, (migrations) => migrations.up())
    })
    afterEach(() => Promise.all([committed.drop(), migrated.drop()]))

    test('is the same from the committed files as from the migrations', async () => {
      const built = await catalogOf(migrated)
      const collations = JSON.stringify(built['columns'] ?? [])
      for (const file of ['oauth.sql', 'logs.sql']) {
        const script = committedSchema(`${kind.dialect}/${file}`)
        const named = collations.includes('utf8mb4_0900_bin')
          ? script.replaceAll('utf8mb4_nopad_bin', 'utf8mb4_0900_bin')
          : script
        await runScript(committed, named)
      }
      expect(Object.values(built).flat().length).toBeGreaterThan(20)
      expect(await catalogOf(committed)).toEqual(built)
    })

    test('is copied completely for suites that do not migrate', async () => {
      const copied = await kind.createMigrated()
      onTestFinished(() => copied.drop())
      expect(await catalogOf(copied)).toEqual(await catalogOf(migrated))
      await onSchema(copied, async (migrations) => {
        expect(await migrations.status()).toMatchObject({ pending: [], problem: null })
        expect(await migrations.up()).toEqual({ migrations: [], seeded: false })
      })
    })

    test('compares text byte by byte in every column', async () => {
      const { columns = [], everything = [] } = await catalogOf(migrated)
      if (kind.dialect === 'sqlite') {
        expect(everything.filter(({ sql }) => String(sql).includes('collate'))).toEqual([])
        return
      }
      const texts = columns.filter((column) => /char|text/.test(String(column['column_type'] ?? column['data_type'])))
      expect(texts.length).toBeGreaterThan(80)
      for (const column of texts) expect(column['collation_name']).toMatch(BYTE_BY_BYTE[kind.dialect])
    })

    if (kind.dialect === 'sqlite') return
    test('keeps every index within the limits of the database', async () => {
      const [limit, question] =
        kind.dialect === 'mysql'
          ? [
              INDEX_BYTES.mysql,
              `select s.index_name, sum(coalesce(c.character_octet_length, 8)) as bytes
               from information_schema.statistics s join information_schema.columns c
               on c.table_schema = s.table_schema and c.table_name = s.table_name and c.column_name = s.column_name
               where s.table_schema = database() group by s.table_name, s.index_name`,
            ]
          : [
              INDEX_BYTES.postgres,
              `select i.indexrelid::regclass::text as index_name, sum(case when a.atttypid = 'varchar'::regtype
               then (a.atttypmod - 4) * 4 when a.atttypid = 'text'::regtype then 1e9 else 36 end) as bytes
               from pg_index i join pg_attribute a on a.attrelid = i.indexrelid
               where i.indrelid::regclass::text ~ '^(oauth|qscope)_' group by 1`,
            ]
      const indexes = await migrated.query(question)
      expect(indexes.length).toBeGreaterThan(30)
      for (const index of indexes)
        expect(Number(index['bytes']), String(index['index_name'])).toBeLessThanOrEqual(limit)
    })
  })
}
