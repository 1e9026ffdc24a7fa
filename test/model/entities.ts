/**
 * What the model remembers: the nouns of the rules, without hashes, rows or
 * transactions. All times are milliseconds of the system's clock.
 */

export type Grant = 'authorization_code' | 'client_credentials' | 'refresh_token' | 'device_code' | 'token_exchange'

export interface Caps {
  refreshTokens: number | null
  perUser: number | null
  accessTokens: number | null
}

/** What a client is registered as; scopes and caps may change. */
export interface Profile {
  readonly name: string
  readonly isPublic: boolean
  readonly grants: readonly Grant[]
  scopes: readonly string[]
  readonly audiences: readonly string[]
  readonly resourceAudiences: readonly string[]
  readonly requirePkce: boolean
  readonly impersonates: boolean
  /** Gets JWTs: nothing else about them differs. */
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

/** What can be shut out, and whose tokens end all at once. */
export interface Party {
  /** Enabled, or active. */
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

/** A consent and the family of what is issued on it. */
export interface MGrant {
  readonly client: MClient
  readonly user: MUser
  readonly scopes: readonly string[]
  readonly audiences: readonly string[]
  readonly clientGeneration: number
  readonly userGeneration: number
  readonly expiresAt: number
  /** When the last of its codes and tokens ends. */
  tokensUntil: number
  revoked: boolean
  /** Purged, with all that was issued on it. */
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
  /** Who acts, the latest first. */
  readonly actors: readonly string[]
  /** What it was exchanged from. */
  readonly parent: MAccess | null
  readonly issuedAt: number
  readonly expiresAt: number
  revoked: boolean
  gone: boolean
}

/** What a spent refresh token was exchanged for. */
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
  /** Set once it is spent. */
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
