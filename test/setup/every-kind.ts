import { describe } from 'vitest'
import { databaseKinds, type MigratedKind } from './fresh-database.ts'
import { missing } from './requirement.ts'

/**
 * Describes a suite for every kind of database in the project. Without its server, a kind is reported as skipped, or fails if
 * `QSCOPE_TEST_REQUIRE` names it. `title`: the suite's name, with `$name` for the kind.
 */
export function onEveryKind(title: string, suite: (kind: MigratedKind) => void): void {
  for (const kind of databaseKinds) {
    const name = title.replace('$name', kind.name)
    if (!kind.available) missing(kind.name, name, 'there is no server')
    describe.skipIf(!kind.available)(name, () => suite(kind))
  }
}
