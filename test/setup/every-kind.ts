import { describe } from 'vitest'
import { databaseKinds, type MigratedKind } from './fresh-database.ts'
import { missing } from './requirement.ts'

/**
 * Describes a suite on every kind of databases that the project is about. One without
 * a server is skipped by name, and fails where `QSCOPE_TEST_REQUIRE` demands it.
 * `title`: the suite's name, with `$name` for that of the kind.
 */
export function onEveryKind(title: string, suite: (kind: MigratedKind) => void): void {
  for (const kind of databaseKinds) {
    const name = title.replace('$name', kind.name)
    if (!kind.available) missing(kind.name, name, 'there is no server')
    describe.skipIf(!kind.available)(name, () => suite(kind))
  }
}
