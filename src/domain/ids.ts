/** Identifiers, each of its own type so that one cannot stand for another. */
declare const brand: unique symbol
type Branded<Base, Name extends string> = Base & { readonly [brand]: Name }

export type ClientId = Branded<string, 'ClientId'>
export type UserId = Branded<string, 'UserId'>
/** The public handle of a token (UUIDv7): logs, lists and audit speak of it. */
export type TokenId = Branded<string, 'TokenId'>
export type GrantId = Branded<string, 'GrantId'>
export type SecretId = Branded<string, 'SecretId'>
export type AuthorizationCodeId = Branded<string, 'AuthorizationCodeId'>
export type DeviceAuthorizationId = Branded<string, 'DeviceAuthorizationId'>
export type AuditEventId = Branded<string, 'AuditEventId'>
/** The `kid` of a key that signs access tokens (UUIDv7). */
export type SigningKeyId = Branded<string, 'SigningKeyId'>
/** Names a key of the keyring. */
export type KeyId = Branded<string, 'KeyId'>

/** A bearer value as it travels; never stored, never logged. */
export type RawToken = Branded<string, 'RawToken'>
/** SHA-256 of a bearer value, 32 bytes: what is stored of it. */
export type TokenHash = Branded<Buffer, 'TokenHash'>
/** HMAC-SHA-256 of a user code, 32 bytes: 34 bits would be reversed in seconds without the key. */
export type UserCodeHash = Branded<Buffer, 'UserCodeHash'>
/** HMAC-SHA-256 of a client secret, 32 bytes: what is stored of it. */
export type SecretHash = Branded<Buffer, 'SecretHash'>

export type Milliseconds = Branded<number, 'Milliseconds'>
/** Milliseconds since 1970-01-01T00:00:00Z. */
export type EpochMs = Branded<number, 'EpochMs'>

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i
/** What a client may be called. */
export const CLIENT_ID = /^[A-Za-z0-9._-]{3,128}$/

/**
 * Takes a value for what its place says it is. Nothing is checked: ids in requests meet the bounds of the contract, those
 * of rows were checked when they were written, and one that is wrong all the same finds no row.
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

/** A moment some time after another. */
export function later(moment: EpochMs, span: Milliseconds): EpochMs {
  return epochMs(moment + span)
}

export function isUuid(value: string): boolean {
  return UUID.test(value)
}

/**
 * Whether a client may register under this id. UUID shapes are kept for user
 * ids, so that a token's subject cannot be mistaken.
 */
export function isRegistrableClientId(value: string): boolean {
  return CLIENT_ID.test(value) && !isUuid(value)
}
