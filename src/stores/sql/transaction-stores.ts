import type { Kysely } from 'kysely'
import type { AuditEvent } from '../../domain/audit-event.ts'
import type { TransactionStores } from '../contract.ts'
import { accessTokenReads, accessTokenWrites, findStandings } from './access-tokens.ts'
import { auditReads } from './audit-log.ts'
import { clientSecretReads, clientSecretWrites, findSecrets } from './client-secrets.ts'
import { clientWrites } from './client-writes.ts'
import { clientReads, findClients } from './clients.ts'
import { hashKey } from './hash-key.ts'
import type { Database } from './schema.ts'

/** The stores bound to one transaction; audit events are collected, and written as its last rows. */
export function transactionStores(db: Kysely<Database>, collect: (event: AuditEvent) => void): TransactionStores {
  return Object.freeze({
    clients: {
      ...clientReads(db, async (id) => (await findClients(db)([id])).get(id) ?? null),
      ...clientWrites(db),
    },
    clientSecrets: {
      ...clientSecretReads(db, async (id) => (await findSecrets(db)([id])).get(id) ?? []),
      ...clientSecretWrites(db),
    },
    accessTokens: {
      ...accessTokenReads(db, async (hash) => (await findStandings(db)([hash])).get(hashKey(hash)) ?? null),
      ...accessTokenWrites(db),
    },
    auditLog: {
      ...auditReads(db),
      append: (event: AuditEvent) => collect(event),
    },
  })
}
