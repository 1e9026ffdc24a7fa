/**
 * The state of the model: the entities of the rules, without hashes, rows or
 * transactions. All times are milliseconds of the system's clock.
 */

export type Grant = 'authorization_code' | 'client_credentials' | 'refresh_token' | 'device_code' | 'token_exchange'

export interface Caps {
  refreshTokens: number | null
  perUser: number | null
  accessTokens: number | null
}

/** The registration of a client; scopes and caps may change. */
export interface Profile {
  readonly name: string
  readonly isPublic: boolean
  readonly grants: readonly Grant[]
  scopes: readonly string[]
  readonly audiences: readonly string[]
  readonly resourceAudiences: readonly string[]
  readonly requirePkce: boolean
  readonly impersonates: boolean
  /** Whether its access tokens are JWTs. */
  readonly jwt: boolean
  readonly accessTtl: number
  readonly refreshTtl: number
  readonly maxLifetime: number
  readonly codeTtl: number
  readonly deviceTtl: number
  readonly pollInterval: number
  readonly replayWindow: number
  caps: Caps
}

/** A client or a user, which can be disabled, and whose tokens can be revoked together. */
export interface Party {
  /** Whether the client is enabled, or the user active. */
  admitted: boolean
  deleted: boolean
  generation: number
}

export interface MClient extends Party {
  readonly clientId: string
  readonly secret: string
  readonly profile: Profile
}

export interface MUser extends Party {
  readonly userId: string
  readonly externalId: string
}

/** A consent and the family of its tokens. */
export interface MGrant {
  readonly client: MClient
  readonly user: MUser
  readonly scopes: readonly string[]
  readonly audiences: readonly string[]
  readonly clientGeneration: number
  readonly userGeneration: number
  readonly expiresAt: number
  /** The expiry of the last of its codes and tokens. */
  tokensUntil: number
  revoked: boolean
  /** Whether it was purged, with all its codes and tokens. */
  gone: boolean
}

export interface MCode {
  readonly value: string
  readonly grant: MGrant
  readonly redirectUri: string
  readonly verifier: string | null
  readonly expiresAt: number
  spent: boolean
}

export interface MAccess {
  readonly use: 'access'
  readonly value: string
  readonly tokenId: string
  readonly client: MClient
  readonly clientGeneration: number
  readonly user: MUser | null
  readonly userGeneration: number
  readonly grant: MGrant | null
  readonly subject: string
  readonly scopes: readonly string[]
  readonly audiences: readonly string[]
  /** The actors, the latest first. */
  readonly actors: readonly string[]
  /** The subject token of its exchange. */
  readonly parent: MAccess | null
  readonly issuedAt: number
  readonly expiresAt: number
  revoked: boolean
  gone: boolean
}

/** The tokens that a spent refresh token was exchanged for. */
export interface Spending {
  readonly successor: MRefresh
  readonly access: MAccess
  readonly requested: readonly string[]
  readonly replayUntil: number
}

export interface MRefresh {
  readonly use: 'refresh'
  readonly value: string
  readonly tokenId: string
  readonly client: MClient
  readonly grant: MGrant
  readonly issuedAt: number
  readonly expiresAt: number
  spent: boolean
  /** `null` until it is spent. */
  spending: Spending | null
}

export interface MDevice {
  readonly deviceCode: string
  readonly userCode: string
  readonly client: MClient
  readonly clientGeneration: number
  readonly scopes: readonly string[]
  readonly audiences: readonly string[]
  readonly expiresAt: number
  decision: 'pending' | 'approved' | 'denied' | 'redeemed'
  interval: number
  lastPolledAt: number | null
  grant: MGrant | null
  gone: boolean
}

export type MToken = MAccess | MRefresh
