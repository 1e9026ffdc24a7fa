import type { Kysely } from 'kysely'
import type { AuditEvent } from '../../domain/audit-event.ts'
import type { TransactionStores } from '../contract/backend.ts'
import { SqlAuditChains } from './audit/chain-reads.ts'
import { TransactionAuditLog } from './audit/log.ts'
import { hashKey } from './core/hash-key.ts'
import type { Database } from './schema.ts'
import { accessTokenWrites } from './tables/access-token-writes.ts'
import { accessTokenReads, findAccessTokens, findAccessTokensById } from './tables/access-tokens.ts'
import { assertionIds } from './tables/assertion-ids.ts'
import { codeReads, codeWrites, findCodes } from './tables/authorization-codes.ts'
import { clientSecretReads, clientSecretWrites, findSecrets } from './tables/client-secrets.ts'
import { clientWrites } from './tables/client-writes.ts'
import { clientReads, findClients, findClosedAudiences } from './tables/clients.ts'
import { deviceAuthorizationWrites } from './tables/device-authorization-writes.ts'
import { deviceAuthorizationReads, findDeviceCodes } from './tables/device-authorizations.ts'
import { grantReads, grantWrites } from './tables/grants.ts'
import { refreshTokenWrites } from './tables/refresh-token-writes.ts'
import { findRefreshTokens, findRefreshTokensById, refreshTokenReads } from './tables/refresh-tokens.ts'
import { signingKeyWrites } from './tables/signing-key-writes.ts'
import {
  findActiveSigningKeys,
  findPublishedKeys,
  findSigningKeys,
  PUBLISHED,
  signingKeyReads,
} from './tables/signing-keys.ts'
import { userReads, userWrites } from './tables/users.ts'

/** The stores bound to one transaction; audit events are collected, and written as its last rows. */
export function transactionStores(db: Kysely<Database>, collect: (event: AuditEvent) => void): TransactionStores {
  return Object.freeze({
    clients: {
      ...clientReads(db, alone(findClients(db), String, null), alone(findClosedAudiences(db), String, false)),
      ...clientWrites(db),
    },
    clientSecrets: {
      ...clientSecretReads(db, alone(findSecrets(db), String, [])),
      ...clientSecretWrites(db),
    },
    users: { ...userReads(db), ...userWrites(db) },
    grants: { ...grantReads(db), ...grantWrites(db) },
    authorizationCodes: {
      ...codeReads(alone(findCodes(db), hashKey, null)),
      ...codeWrites(db),
    },
    accessTokens: {
      ...accessTokenReads(
        db,
        alone(findAccessTokens(db), hashKey, null),
        alone(findAccessTokensById(db), String, null),
      ),
      ...accessTokenWrites(db),
    },
    refreshTokens: {
      ...refreshTokenReads(
        db,
        alone(findRefreshTokens(db), hashKey, null),
        alone(findRefreshTokensById(db), String, null),
      ),
      ...refreshTokenWrites(db),
    },
    deviceAuthorizations: {
      ...deviceAuthorizationReads(db, alone(findDeviceCodes(db), hashKey, null)),
      ...deviceAuthorizationWrites(db),
    },
    signingKeys: {
      ...signingKeyReads(
        db,
        alone(findSigningKeys(db), String, null),
        alone(findActiveSigningKeys(db), String, null),
        alone(findPublishedKeys(db), () => PUBLISHED, []),
      ),
      ...signingKeyWrites(db),
    },
    assertionIds: assertionIds(db),
    auditLog: new TransactionAuditLog(db, collect),
    auditChains: new SqlAuditChains(db),
  })
}

/** A look-up by itself: a transaction does not wait to share one. */
function alone<Key, Value, Absent>(
  load: (keys: readonly Key[]) => Promise<ReadonlyMap<string, Value>>,
  nameOf: (key: Key) => string,
  absent: Absent,
): (key: Key) => Promise<Value | Absent> {
  return async (key) => (await load([key])).get(nameOf(key)) ?? absent
}
