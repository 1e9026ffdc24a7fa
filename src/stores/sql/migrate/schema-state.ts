import type { Bookkeeping, SchemaState } from '../../contract/migrations.ts'
import type { MigrationStep } from './steps/migration-step.ts'

/** Compares what a database reports of its schema with what this version was built for. */
export function schemaStateOf(bookkeeping: Bookkeeping, known: readonly MigrationStep[]): SchemaState {
  const { applied, auditProtection, serversFrom, underWay } = bookkeeping
  const isKnown = (name: string) => known.some((step) => step.name === name)
  const pending = known.map((step) => step.name).filter((name) => !applied.includes(name))
  const unknown = [...applied, ...(underWay === null ? [] : [underWay.migration])].filter((name) => !isKnown(name))
  const isUnprotected = auditProtection === null && known.some((step) => step.appendOnly !== undefined)

  function problem(): string | null {
    if (unknown.length > 0 && (pending.length > 0 || (serversFrom !== null && !isKnown(serversFrom)))) {
      return newerSchema(unknown)
    }
    if (pending.length > 0) {
      return `the database schema is older than this server (it lacks ${pending.join(', ')}): run \`qscope migrate up\``
    }
    return isUnprotected ? 'nothing keeps the audit log append-only yet: run `qscope migrate up`' : null
  }
  return Object.freeze({ ...bookkeeping, pending, unknown, problem: problem() })
}

export function newerSchema(unknown: readonly string[]): string {
  return `the database schema is newer than this server (it has ${unknown.join(', ')}): run a newer server`
}
