import { randomBytes, uuidV7 } from '../../src/crypto/random.ts'
import { deviceAuthorizationId, type EpochMs, epochMs, grantId } from '../../src/domain/ids.ts'
import type { User } from '../../src/domain/user.ts'
import type { Backend } from '../../src/stores/contract/backend.ts'
import { openBackend } from '../../src/stores/open.ts'
import type { FreshDatabase } from '../setup/fresh-database.ts'
import {
  aClient,
  aCode,
  aDeviceAuthorization,
  aGrant,
  anEvent,
  aRefreshToken,
  aSecret,
  aToken,
  aUser,
  change,
  context,
  DAY,
  inTransaction,
  options,
} from '../stores/given.ts'

/**
 * Every table that grows with use. What else there is has a few rows however long a service runs: heads of revocations
 * are purged with the last one of their writer.
 */
export const GROWING = Object.freeze([
  'oauth_access_tokens',
  'oauth_assertion_ids',
  'oauth_audit_heads',
  'oauth_audit_log',
  'oauth_authorization_codes',
  'oauth_client_configs',
  'oauth_client_resource_audiences',
  'oauth_client_secrets',
  'oauth_clients',
  'oauth_device_codes',
  'oauth_grants',
  'oauth_refresh_tokens',
  'oauth_revocations',
  'oauth_scope_usage',
  'oauth_users',
])

const CLIENTS = 800
const ROWS = 1_000
const HEADS = 300
/** Servers that have revoked; a cursor holds no more than 500. */
const REVOKING_WRITERS = 300
/** So many that no planner would rather read them all. */
const REVOCATIONS_EACH = 50
const USAGE_DAYS = 20
/** Servers that have written to the audit log. */
const WRITERS = 10

/** Fills all growing tables with rows of many clients and users, and lets the database count them. */
export async function fillTables(database: FreshDatabase): Promise<void> {
  const users = Array.from({ length: ROWS }, () => aUser())
  await withBackend(database, (backend) => fill(backend, users))
  for (let writer = 0; writer < WRITERS; writer += 1) {
    await withBackend(database, (backend) => appendRows(backend, users, writer))
  }
  await fillHeads(database)
  await fillRevocations(database)
  await fillUsage(database)
  await database.query(
    database.kind.dialect === 'mysql' ? `analyze table ${GROWING.join(', ')}, oauth_revocation_heads` : 'analyze',
  )
}

async function withBackend(database: FreshDatabase, work: (backend: Backend) => Promise<void>): Promise<void> {
  const backend = await openBackend(database.url, options)
  try {
    await work(backend)
  } finally {
    await backend.close()
  }
}

/** Some have ended, most have not. */
function endOf(n: number): EpochMs {
  return epochMs(Date.now() + (n - ROWS / 10) * 10_000)
}

function clientOf(n: number): string {
  return `client-${n % CLIENTS}`
}

async function fill(backend: Backend, users: readonly User[]): Promise<void> {
  const now = Date.now()
  await inTransaction(backend, async (stores) => {
    for (let n = 0; n < CLIENTS; n += 1) {
      await stores.clients.insert(aClient(clientOf(n), { resourceAudiences: [`https://${n}.example`] }), change)
      await stores.clientSecrets.insert(aSecret(clientOf(n)))
    }
    for (const user of users) await stores.users.insert(user)
  })
  await inTransaction(backend, async (stores) => {
    for (const [n, user] of users.entries()) {
      const grant = aGrant(clientOf(n), user, { tokensUntil: endOf(n) })
      const consumedAt = n % 3 === 0 ? epochMs(now) : null
      await stores.grants.insert(grant)
      await stores.authorizationCodes.insert(aCode(grant, { consumedAt }))
      await stores.refreshTokens.insert(aRefreshToken(grant, { consumedAt, expiresAt: epochMs(now + 30 * DAY) }))
      const id = deviceAuthorizationId(uuidV7())
      await stores.deviceAuthorizations.insert(
        aDeviceAuthorization(clientOf(n), { deviceAuthorizationId: id, expiresAt: endOf(n) }),
      )
    }
    await stores.assertionIds.insert(
      users.map((_user, n) => ({
        hash: randomBytes(32),
        useId: uuidV7(),
        expiresAt: endOf(n),
        usedAt: epochMs(now),
        by: clientOf(n),
      })),
    )
  })
}

/** One writer's share of the access tokens and audit events. */
async function appendRows(backend: Backend, users: readonly User[], writer: number): Promise<void> {
  await backend.append(context(), (stores) => {
    for (let n = writer; n < users.length; n += WRITERS) {
      const { userId } = users[n] ?? aUser()
      const owner = n % 2 === 0 ? { userId, grantId: grantId(uuidV7()) } : {}
      const token = aToken(clientOf(n), { ...owner, expiresAt: endOf(n) })
      stores.accessTokens.insert(token)
      const event = { createdAt: epochMs(Date.now() - n * 1_000), rayId: uuidV7(), clientId: token.clientId, userId }
      stores.auditLog.append(anEvent({ ...event, type: n % 2 === 0 ? 'token.issued' : 'user.registered' }))
    }
  })
}

/** What many writers have told, most of which need be known still. */
async function fillRevocations({ kind, query }: FreshDatabase): Promise<void> {
  const writers = Array.from({ length: REVOKING_WRITERS }, (_, n) => n + 1_000)
  const heads = writers.map((writer) => `(${writer}, ${REVOCATIONS_EACH}, 0, 0)`)
  await query(
    `insert into oauth_revocation_heads (writer, sequence, created_at, updated_at) values ${heads.join(', ')}`,
  )
  const name = kind.dialect === 'mysql' ? '`key`' : 'key'
  for (let sequence = 1; sequence <= REVOCATIONS_EACH; sequence += 1) {
    const rows = writers.map((writer, n) => `(${writer}, ${sequence}, ${randomLiteral(kind, 16)}, ${endOf(n)})`)
    await query(`insert into oauth_revocations (writer, sequence, ${name}, forget_time) values ${rows.join(', ')}`)
  }
}

/** A head for each of many servers that have written once. */
async function fillHeads({ kind, query }: FreshDatabase): Promise<void> {
  const hash = () => randomLiteral(kind, 32)
  const rows = Array.from(
    { length: HEADS },
    (_, n) => `('${uuidV7()}', ${n + 1_000}, 0, ${hash()}, 'audit-1', ${hash()}, 0, 'test', 0, 'test')`,
  )
  await query(`insert into oauth_audit_heads
    (writer_id, ordinal, sequence, hash, key_id, mac, created_at, created_by, updated_at, updated_by)
    values ${rows.join(', ')}`)
}

/** What clients used on each of the last days. */
async function fillUsage({ kind, query }: FreshDatabase): Promise<void> {
  const today = Math.floor(Date.now() / DAY) * DAY
  for (let day = 0; day < USAGE_DAYS; day += 1) {
    const rows = Array.from(
      { length: CLIENTS },
      (_, n) =>
        `(${randomLiteral(kind, 32)}, ${today - day * DAY}, '${clientOf(n)}', 'orders.read', 1, 1, ${endOf(n)}, 0, 0)`,
    )
    await query(`insert into oauth_scope_usage
      (usage_hash, day, client_id, scope, asked, granted, forget_at, created_at, updated_at)
      values ${rows.join(', ')}`)
  }
}

/** Random bytes, as SQL writes them. */
function randomLiteral({ dialect }: FreshDatabase['kind'], length: number): string {
  const hex = randomBytes(length).toString('hex')
  return dialect === 'postgres' ? `'\\x${hex}'` : `x'${hex}'`
}
