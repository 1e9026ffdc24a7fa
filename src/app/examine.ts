import { existsSync } from 'node:fs'
import type { Config } from '../config/config.ts'
import type { Logger } from '../context.ts'
import type { SchemaState } from '../stores/contract/schema-state.ts'
import { openApp } from './app.ts'
import { openConfiguredMigrations } from './database.ts'
import { examine } from './doctor/doctor.ts'
import { clientKeyFindings } from './doctor/examine-clients.ts'
import {
  contentFindings,
  emptyDatabaseFindings,
  missingDatabaseFindings,
  reachedFindings,
  schemaFinding,
} from './doctor/examine-database.ts'
import { type Finding, guarded } from './doctor/finding.ts'
import { openKeyring } from './keyring.ts'

/** Examines what a server with this configuration would find. Changes nothing. */
export async function examineConfigured(config: Config, log: Logger): Promise<readonly Finding[]> {
  return await examine(config, { database: () => examineConfiguredDatabase(config, log), listeners: true })
}

/** Examines the database: the connection, the schema, its diagnostics, and its content. */
async function examineConfiguredDatabase(config: Config, log: Logger): Promise<readonly Finding[]> {
  const { file } = config.database
  if (file !== null && !existsSync(file)) return missingDatabaseFindings(file)
  const state = await schemaState(config, log)
  const reached = reachedFindings(config)
  if (state === null) return [...reached, ...emptyDatabaseFindings(config)]
  if (state.problem !== null) return [...reached, schemaFinding(state)]
  const app = await openApp(config, log, await openKeyring(config, log, 'provisional'))
  try {
    return [
      ...reached,
      schemaFinding(state),
      ...(await contentFindings(app, state, config, log)),
      // Not in the status of a server: who may read it could otherwise make the server call the hosts of all clients.
      ...(await guarded('client keys', () => clientKeyFindings(app.backend, config, log))),
    ]
  } finally {
    await app.close()
  }
}

/** `null`: the database is empty. */
async function schemaState(config: Config, log: Logger): Promise<SchemaState | null> {
  const migrations = await openConfiguredMigrations(config, log)
  try {
    return (await migrations.isEmpty()) ? null : await migrations.status()
  } finally {
    await migrations.close()
  }
}
