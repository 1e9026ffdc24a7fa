import { clients } from './0001_clients.ts'
import { users } from './0002_users.ts'
import { grants } from './0003_grants.ts'
import { accessTokens } from './0004_access_tokens.ts'
import { deviceCodes } from './0005_device_codes.ts'
import { leases } from './0006_leases.ts'
import { auditLog } from './0007_audit_log.ts'
import { signingKeys } from './0008_signing_keys.ts'
import { assertionIds } from './0009_assertion_ids.ts'
import { auditEventsByType } from './0010_audit_events_by_type.ts'
import { revocations } from './0011_revocations.ts'
import { ownSecretRotation } from './0012_own_secret_rotation.ts'
import { owners } from './0013_owners.ts'
import { auditFollowers } from './0014_audit_followers.ts'
import { scopeUsage } from './0015_scope_usage.ts'
import { trustedIssuers } from './0016_trusted_issuers.ts'
import { federatedIdentities } from './0017_federated_identities.ts'
import { extraClaims } from './0018_extra_claims.ts'
import type { MigrationStep } from './migration-step.ts'

/** Every step of the schema, in order, for all databases. There are no servers older than those of the first release. */
export const MIGRATIONS: readonly MigrationStep[] = Object.freeze([
  { name: '0001_clients', serversFrom: '0001_clients', migration: clients },
  { name: '0002_users', serversFrom: '0002_users', migration: users },
  { name: '0003_grants', serversFrom: '0003_grants', migration: grants },
  { name: '0004_access_tokens', serversFrom: '0004_access_tokens', migration: accessTokens },
  { name: '0005_device_codes', serversFrom: '0005_device_codes', migration: deviceCodes },
  { name: '0006_leases', serversFrom: '0006_leases', migration: leases },
  {
    name: '0007_audit_log',
    serversFrom: '0007_audit_log',
    appendOnly: { table: 'oauth_audit_log', key: 'event_id' },
    migration: auditLog,
  },
  { name: '0008_signing_keys', serversFrom: '0008_signing_keys', migration: signingKeys },
  { name: '0009_assertion_ids', serversFrom: '0009_assertion_ids', migration: assertionIds },
  { name: '0010_audit_events_by_type', serversFrom: null, migration: auditEventsByType },
  // A server that ends a fact without a row here would let verifiers still accept its tokens.
  { name: '0011_revocations', serversFrom: '0011_revocations', migration: revocations },
  { name: '0012_own_secret_rotation', serversFrom: null, migration: ownSecretRotation },
  { name: '0013_owners', serversFrom: null, migration: owners },
  { name: '0014_audit_followers', serversFrom: null, migration: auditFollowers },
  { name: '0015_scope_usage', serversFrom: null, migration: scopeUsage },
  { name: '0016_trusted_issuers', serversFrom: null, migration: trustedIssuers },
  { name: '0017_federated_identities', serversFrom: null, migration: federatedIdentities },
  // An older server shows a token without these claims.
  { name: '0018_extra_claims', serversFrom: null, migration: extraClaims },
])
