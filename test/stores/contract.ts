/** The definition of a storage backend: tests of all promises of src/stores/contract on real databases. */
import { afterAll, beforeAll, describe } from 'vitest'
import type { Backend } from '../../src/stores/contract/backend.ts'
import type { FreshDatabase, MigratedKind } from '../setup/fresh-database.ts'
import { accessTokenPromises } from './access-token-promises.ts'
import { appendPromises } from './append-promises.ts'
import { assertionIdPromises } from './assertion-id-promises.ts'
import { auditLogPromises } from './audit-log-promises.ts'
import { authorizationCodePromises } from './authorization-code-promises.ts'
import { clientPromises } from './client-promises.ts'
import { clientSecretPromises } from './client-secret-promises.ts'
import { deviceAuthorizationPromises } from './device-authorization-promises.ts'
import { openMigrated } from './given.ts'
import { grantPromises } from './grant-promises.ts'
import { maintenancePromises } from './maintenance-promises.ts'
import { refreshTokenPromises } from './refresh-token-promises.ts'
import { revocationPromises } from './revocation-promises.ts'
import { signingKeyPromises } from './signing-key-promises.ts'
import { speculativeTransactionPromises } from './speculative-transaction-promises.ts'
import { transactionPromises } from './transaction-promises.ts'
import { trustedIssuerPromises } from './trusted-issuer-promises.ts'
import { userPromises } from './user-promises.ts'

/** The database and the backend that a group of promises is tested on. */
export interface Subject {
  readonly backend: Backend
  readonly database: FreshDatabase
}

export function storeContract(kind: MigratedKind): void {
  describe.skipIf(!kind.available)(`stores on ${kind.name}`, () => {
    let subject: Subject
    beforeAll(async () => {
      const database = await kind.createMigrated()
      subject = { database, backend: await openMigrated(database) }
    })
    afterAll(async () => {
      await subject.backend.close()
      await subject.database.drop()
    })
    const current = () => subject
    describe('clients', () => clientPromises(current))
    describe('client secrets', () => clientSecretPromises(current))
    describe('users', () => userPromises(current))
    describe('grants', () => grantPromises(current))
    describe('authorization codes', () => authorizationCodePromises(current))
    describe('access tokens', () => accessTokenPromises(current))
    describe('refresh tokens', () => refreshTokenPromises(current))
    describe('device authorizations', () => deviceAuthorizationPromises(current))
    describe('signing keys', () => signingKeyPromises(current))
    describe('trusted issuers', () => trustedIssuerPromises(current))
    describe('assertion ids', () => assertionIdPromises(current))
    describe('the audit log', () => auditLogPromises(current))
    describe('the append lane', () => appendPromises(current))
    describe('a transaction with its own commit', () => transactionPromises(current))
    describe('transactions that may share a commit', () => speculativeTransactionPromises(current))
    describe('revocations', () => revocationPromises(current))
    describe('maintenance', () => maintenancePromises(current))
  })
}
