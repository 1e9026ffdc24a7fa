/** Identifiers. Each has its own type, so that the compiler detects mix-ups. */
declare const brand: unique symbol
type Branded<Base, Name extends string> = Base & { readonly [brand]: Name }

export type ClientId = Branded<string, 'ClientId'>
export type UserId = Branded<string, 'UserId'>
/** The public id of a token (UUIDv7), used in logs, lists and audit events. */
export type TokenId = Branded<string, 'TokenId'>
export type GrantId = Branded<string, 'GrantId'>
export type SecretId = Branded<string, 'SecretId'>
export type AuthorizationCodeId = Branded<string, 'AuthorizationCodeId'>
export type DeviceAuthorizationId = Branded<string, 'DeviceAuthorizationId'>
export type AuditEventId = Branded<string, 'AuditEventId'>
/** The `kid` of a key that signs access tokens (UUIDv7). */
export type SigningKeyId = Branded<string, 'SigningKeyId'>
/** The id of a key of the keyring. */
export type KeyId = Branded<string, 'KeyId'>

/** A bearer value in transit. Never stored or logged. */
export type RawToken = Branded<string, 'RawToken'>
/** SHA-256 of a bearer value, 32 bytes. The store holds only this. */
export type TokenHash = Branded<Buffer, 'TokenHash'>
/** HMAC-SHA-256 of a user code, 32 bytes. Without the key, its 34 bits could be found in seconds. */
export type UserCodeHash = Branded<Buffer, 'UserCodeHash'>
/** HMAC-SHA-256 of a client secret, 32 bytes. The store holds only this. */
export type SecretHash = Branded<Buffer, 'SecretHash'>

export type Milliseconds = Branded<number, 'Milliseconds'>
/** Milliseconds since 1970-01-01T00:00:00Z. */
export type EpochMs = Branded<number, 'EpochMs'>

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i
/** The allowed client ids. */
export const CLIENT_ID = /^[A-Za-z0-9._-]{3,128}$/

/**
 * Brands a value by where it comes from, without a check. Ids in requests are checked against the contract, ids in rows were
 * checked when they were written, and an invalid id finds no row.
 */
function unchecked<Typed extends string | number>(value: Typed extends string ? string : number): Typed {
  return value as Typed
}

export const clientId = unchecked<ClientId>
export const userId = unchecked<UserId>
export const tokenId = unchecked<TokenId>
export const grantId = unchecked<GrantId>
export const secretId = unchecked<SecretId>
export const authorizationCodeId = unchecked<AuthorizationCodeId>
export const deviceAuthorizationId = unchecked<DeviceAuthorizationId>
export const auditEventId = unchecked<AuditEventId>
export const signingKeyId = unchecked<SigningKeyId>
export const keyId = unchecked<KeyId>
export const milliseconds = unchecked<Milliseconds>
export const epochMs = unchecked<EpochMs>

/** The moment `span` after another. */
export function later(moment: EpochMs, span: Milliseconds): EpochMs {
  return epochMs(moment + span)
}

export function isUuid(value: string): boolean {
  return UUID.test(value)
}

/** Whether a client may register under this id. UUIDs are reserved for user ids, so that a token's subject is unambiguous. */
export function isRegistrableClientId(value: string): boolean {
  return CLIENT_ID.test(value) && !isUuid(value)
}
