import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import type { FreshDatabase } from '../setup/fresh-database.ts'
import type { TestServer } from '../setup/server.ts'
import { emptyFolder } from './process.ts'

interface Wanted {
  readonly scopes?: readonly string[]
  readonly enabled?: boolean
}

/** The document of a confidential client. */
export function clientDocument(clientId: string, { scopes = ['read'], enabled }: Wanted = {}) {
  const spec = { clientId, type: 'CLIENT_TYPE_CONFIDENTIAL', grantTypes: ['GRANT_TYPE_CLIENT_CREDENTIALS'], scopes }
  return { kind: 'Client', spec: enabled === undefined ? spec : { ...spec, enabled } }
}

/** A folder with a file for each of a number of clients. */
export function folderOf(names: readonly string[], wanted: Wanted = {}): string {
  const folder = emptyFolder()
  for (const name of names) writeFileSync(join(folder, `${name}.json`), JSON.stringify(clientDocument(name, wanted)))
  return folder
}

export function namesOf(prefix: string, count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => `${prefix}-${String(index).padStart(3, '0')}`)
}

export async function eventsOf(database: FreshDatabase): Promise<number> {
  const [row] = await database.query('select count(*) as events from oauth_audit_log')
  return Number(row?.['events'])
}

/** Expects that every secret in the files authenticates its client. */
export async function expectSecretsWork(server: TestServer, folder: string, names: readonly string[]): Promise<void> {
  for (const clientId of names) {
    const value = readFileSync(join(folder, `${clientId}.secret`), 'utf8')
    const client = { clientId, method: { case: 'clientSecret' as const, value } }
    expect((await server.call(TokenService.method.mintToken, { client })).token?.accessToken).not.toBe('')
  }
}
