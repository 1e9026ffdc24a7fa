import { createHash } from 'node:crypto'
import { type Kysely, sql } from 'kysely'
import type { FederatedIdentity } from '../../../domain/federated-identity.ts'
import { type ClientId, clientId } from '../../../domain/ids.ts'
import { exactClaim } from '../../../domain/trusted-issuer.ts'
import { isObject } from '../../../json-object.ts'
import type { Change } from '../../contract/context.ts'
import { hashKey, json, unreadable, words } from '../core/rows.ts'
import type { Database } from '../core/schema.ts'

const NONE: readonly FederatedIdentity[] = Object.freeze([])
const COLUMN = 'federated_identities'

/** Identities as stored in the client's row. Claims are pairs, to allow names that are special in JavaScript. */
export function identitiesText(identities: readonly FederatedIdentity[]): string | null {
  if (identities.length === 0) return null
  return JSON.stringify(
    identities.map(({ issuer, subject, requiredClaims }) => ({
      issuer,
      subject,
      required_claims: requiredClaims.map(({ name, value }) => [name, value]),
    })),
  )
}

/** Parses the text of `identitiesText`. */
export function identitiesOf(text: string | null): readonly FederatedIdentity[] {
  if (text === null) return NONE
  const list = json(text, COLUMN)
  if (!Array.isArray(list)) throw unreadable(COLUMN)
  return Object.freeze(list.map(identityOf))
}

function identityOf(value: unknown): FederatedIdentity {
  const { issuer, subject, required_claims: claims } = isObject(value) ? value : {}
  if (typeof issuer !== 'string' || typeof subject !== 'string' || !Array.isArray(claims)) throw unreadable(COLUMN)
  const requiredClaims = claims.map((pair: unknown) => {
    const [name, text]: readonly unknown[] = Array.isArray(pair) ? pair : []
    if (typeof name !== 'string' || typeof text !== 'string') throw unreadable(COLUMN)
    return exactClaim(name, text)
  })
  return Object.freeze({ issuer, subject, requiredClaims: Object.freeze(requiredClaims) })
}

type Name = Pick<FederatedIdentity, 'issuer' | 'subject'>

/** The primary key of an identity. */
function hashOf({ issuer, subject }: Name): Buffer {
  return createHash('sha256')
    .update(JSON.stringify([issuer, subject]))
    .digest()
}

/** The owner of each identity, in the same order. `null`: none. */
export async function identityOwners(
  db: Kysely<Database>,
  identities: readonly Name[],
): Promise<readonly (ClientId | null)[]> {
  if (identities.length === 0) return []
  const hashes = identities.map(hashOf)
  const rows = await db
    .selectFrom('oauth_client_federated_identities')
    .select(['identity_hash', 'client_id'])
    .where('identity_hash', 'in', hashes)
    .execute()
  const owners = new Map(rows.map((row) => [hashKey(Buffer.from(row.identity_hash)), clientId(row.client_id)]))
  return hashes.map((hash) => owners.get(hashKey(hash)) ?? null)
}

/** The scopes of all clients with an identity of this issuer. */
export async function scopesProvedBy(db: Kysely<Database>, issuer: string): Promise<readonly string[]> {
  const rows = await db
    .selectFrom('oauth_client_federated_identities as held')
    .innerJoin('oauth_clients', 'oauth_clients.client_id', 'held.client_id')
    .select('oauth_clients.scopes')
    .where('held.issuer', '=', issuer)
    .where('oauth_clients.deleted_at', 'is', sql.lit(null))
    .distinct()
    .execute()
  return [...new Set(rows.flatMap(({ scopes }) => words(scopes)))]
}

/** Replaces the identities of a client. Fails with a duplicate if another client has one of them. */
export async function replaceIdentities(
  db: Kysely<Database>,
  client: ClientId,
  identities: readonly FederatedIdentity[],
  { at, by }: Change,
): Promise<void> {
  const rows = await db
    .selectFrom('oauth_client_federated_identities')
    .select('identity_hash')
    .where('client_id', '=', client)
    .execute()
  const held = new Map(rows.map(({ identity_hash: hash }) => [hashKey(Buffer.from(hash)), hash]))
  const wanted = new Map(identities.map((identity) => [hashKey(hashOf(identity)), identity]))
  const dropped = [...held].flatMap(([key, hash]) => (wanted.has(key) ? [] : [hash]))
  if (dropped.length > 0) {
    await db.deleteFrom('oauth_client_federated_identities').where('identity_hash', 'in', dropped).execute()
  }
  await insertIdentities(
    db,
    client,
    [...wanted].flatMap(([key, identity]) => (held.has(key) ? [] : [identity])),
    { at, by },
  )
}

export async function insertIdentities(
  db: Kysely<Database>,
  client: ClientId,
  identities: readonly FederatedIdentity[],
  { at, by }: Change,
): Promise<void> {
  if (identities.length === 0) return
  const rows = identities.map((identity) => ({
    identity_hash: hashOf(identity),
    issuer: identity.issuer,
    client_id: client,
    created_at: at,
    created_by: by,
  }))
  // In the same order for all, so that two registrations cannot deadlock.
  rows.sort((a, b) => Buffer.compare(a.identity_hash, b.identity_hash))
  await db.insertInto('oauth_client_federated_identities').values(rows).execute()
}

export async function deleteIdentities(db: Kysely<Database>, client: ClientId): Promise<void> {
  await db.deleteFrom('oauth_client_federated_identities').where('client_id', '=', client).execute()
}
