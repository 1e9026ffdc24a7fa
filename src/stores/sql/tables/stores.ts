import type { Kysely } from 'kysely'
import type { AccessToken } from '../../../domain/access-token.ts'
import type { AuditEvent } from '../../../domain/audit-event.ts'
import type { AccessTokenWrites } from '../../contract/access-tokens.ts'
import type { AuditLogStore, AuditLogWrites } from '../../contract/audit-log.ts'
import type { AppendStores, ReadStores, TransactionStores } from '../../contract/backend.ts'
import { SqlAuditChains } from '../audit/chain-reads.ts'
import { SqlAuditFeed } from '../audit/feed.ts'
import { SqlAuditFollowerReads, SqlAuditFollowerStore } from '../audit/followers.ts'
import { SqlAuditLog } from '../audit/log.ts'
import type { Dialect } from '../core/dialect.ts'
import type { Database } from '../core/schema.ts'
import { SqlRevocationReads } from '../revocations/reads.ts'
import { SqlAccessTokenReads, SqlAccessTokenStore } from './access-tokens.ts'
import { SqlAssertionIdStore } from './assertion-ids.ts'
import { SqlAuthorizationCodeReads, SqlAuthorizationCodeStore } from './authorization-codes.ts'
import { SqlClientSecretReads, SqlClientSecretStore } from './client-secrets.ts'
import { SqlClientReads, SqlClientStore } from './clients.ts'
import { SqlDeviceAuthorizationReads, SqlDeviceAuthorizationStore } from './device-authorizations.ts'
import { SqlGrantReads, SqlGrantStore } from './grants.ts'
import type { LastRowsCollector } from './last-rows.ts'
import { type ReadSource, TransactionSource } from './read-source.ts'
import { SqlRefreshTokenReads, SqlRefreshTokenStore } from './refresh-tokens.ts'
import { SqlSigningKeyReads, SqlSigningKeyStore } from './signing-keys.ts'
import { SqlTrustedIssuerReads, SqlTrustedIssuerStore } from './trusted-issuers.ts'
import { SqlUsageReads, SqlUsageStore } from './usage.ts'
import { SqlUserReads, SqlUserStore } from './users.ts'

/** The stores over committed data. `now`: the database's clock in its dialect. */
export function readStores(source: ReadSource, now: Dialect['now']): ReadStores {
  return Object.freeze({
    clients: new SqlClientReads(source),
    clientSecrets: new SqlClientSecretReads(source),
    users: new SqlUserReads(source),
    grants: new SqlGrantReads(source),
    authorizationCodes: new SqlAuthorizationCodeReads(source),
    accessTokens: new SqlAccessTokenReads(source),
    refreshTokens: new SqlRefreshTokenReads(source),
    deviceAuthorizations: new SqlDeviceAuthorizationReads(source),
    signingKeys: new SqlSigningKeyReads(source),
    auditLog: new SqlAuditLog(source.lists),
    auditChains: new SqlAuditChains(source.lists),
    auditFeed: new SqlAuditFeed(source.db, now),
    auditFollowers: new SqlAuditFollowerReads(source.db),
    usage: new SqlUsageReads(source.lists),
    revocations: new SqlRevocationReads(source.db, now),
    trustedIssuers: new SqlTrustedIssuerReads(source),
  })
}

/**
 * The stores of a connection's transactions. They are created once and cache their compiled statements. Audit events and
 * facts that ended are collected and written last.
 */
export function transactionStores(db: Kysely<Database>, collector: LastRowsCollector): TransactionStores {
  const source = new TransactionSource(db)
  return Object.freeze({
    clients: new SqlClientStore(source, collector),
    clientSecrets: new SqlClientSecretStore(source),
    users: new SqlUserStore(source, collector),
    grants: new SqlGrantStore(source, collector),
    authorizationCodes: new SqlAuthorizationCodeStore(source),
    accessTokens: new SqlAccessTokenStore(source, collector),
    refreshTokens: new SqlRefreshTokenStore(source),
    deviceAuthorizations: new SqlDeviceAuthorizationStore(source),
    assertionIds: new SqlAssertionIdStore(db),
    signingKeys: new SqlSigningKeyStore(source, collector),
    auditLog: new CollectingAuditLog(db, collector),
    auditChains: new SqlAuditChains(db),
    auditFollowers: new SqlAuditFollowerStore(db),
    usage: new SqlUsageStore(db),
    trustedIssuers: new SqlTrustedIssuerStore(source),
  })
}

class CollectingAuditLog extends SqlAuditLog implements AuditLogStore {
  readonly #collector: LastRowsCollector

  constructor(db: Kysely<Database>, collector: LastRowsCollector) {
    super(db)
    this.#collector = collector
  }

  append(event: AuditEvent): void {
    this.#collector.events.push(event)
  }
}

/** The stores of one entry of a `GroupCommit`. They collect the rows, and `BatchCommit` inserts them. */
export class EntryStores implements AppendStores {
  readonly accessTokens = new TokenRows()
  readonly auditLog = new EventRows()
}

class TokenRows implements AccessTokenWrites {
  readonly rows: AccessToken[] = []

  insert(token: AccessToken): void {
    this.rows.push(token)
  }
}

class EventRows implements AuditLogWrites {
  readonly rows: AuditEvent[] = []

  append(event: AuditEvent): void {
    this.rows.push(event)
  }
}
