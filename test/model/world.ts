import type { MAccess, MClient, MCode, MDevice, MGrant, MRefresh, MToken, MUser, Party } from './entities.ts'

/** RFC 8693, rules: the most exchanges between a token and the first. */
export const MAX_EXCHANGES = 5
/** The most actors in a token. */
export const MAX_ACTORS = 5

/**
 * The state by the rules: which parties exist, which tokens were issued, and
 * which of them are active. It follows `rules.md`, and does not depend on the
 * implementation of the server.
 */
export class World {
  /** The prefix of the names of the clients, users and audiences of the run. */
  readonly name: string
  readonly clients: MClient[] = []
  readonly users: MUser[] = []
  readonly grants: MGrant[] = []
  readonly codes: MCode[] = []
  readonly devices: MDevice[] = []
  readonly refreshTokens: MRefresh[] = []
  readonly accessTokens: MAccess[] = []
  /** How often each type of event must have been recorded for a client. */
  readonly events = new Map<MClient, Map<string, number>>()
  /** The number of steps. */
  steps = 0
  readonly #now: () => number

  constructor(name: string, now: () => number) {
    this.name = name
    this.#now = now
  }

  get now(): number {
    return this.#now()
  }

  /** The expiry after a lifetime, rounded down to whole seconds. */
  endAfter(ms: number, latest = Number.POSITIVE_INFINITY): number {
    return Math.floor(Math.min(this.now + ms, latest) / 1_000) * 1_000
  }

  /** Whether the client of an audience is disabled; an audience without a client is open. */
  isClosed(audience: string): boolean {
    const owners = this.clients.filter(
      ({ clientId, profile }) => clientId === audience || profile.resourceAudiences.includes(audience),
    )
    return owners.length > 0 && owners.every(({ admitted, deleted }) => !admitted || deleted)
  }

  record(client: MClient, ...types: string[]): void {
    const counts = this.events.get(client) ?? new Map<string, number>()
    for (const type of types) counts.set(type, (counts.get(type) ?? 0) + 1)
    this.events.set(client, counts)
  }

  /** Whether a grant is active: not revoked, not expired, and with active parties. */
  grantStands(grant: MGrant): boolean {
    const { client, user, clientGeneration, userGeneration } = grant
    return (
      !grant.revoked && this.now < grant.expiresAt && stands(client, clientGeneration) && stands(user, userGeneration)
    )
  }

  isActive(token: MToken): boolean {
    if (token.use === 'refresh') {
      return !token.spent && this.now < token.expiresAt && this.grantStands(token.grant)
    }
    const { client, user, grant, parent } = token
    return (
      !token.revoked &&
      this.now < token.expiresAt &&
      stands(client, token.clientGeneration) &&
      (user === null || stands(user, token.userGeneration)) &&
      (grant === null || !grant.revoked) &&
      (parent === null || this.isActive(parent))
    )
  }

  revokeFamily(grant: MGrant, ...events: string[]): boolean {
    if (grant.revoked) return false
    grant.revoked = true
    this.record(grant.client, ...events)
    return true
  }

  /** Adds a refresh token of a family, and applies the limits. */
  addRefresh(token: MRefresh, isNewFamily: boolean): void {
    this.refreshTokens.push(token)
    token.grant.tokensUntil = Math.max(token.grant.tokensUntil, token.expiresAt)
    if (!isNewFamily) return
    const { caps } = token.client.profile
    const ofUser = this.#heldRefreshTokens(token.client).filter(({ grant }) => grant.user === token.grant.user)
    for (const { grant } of surplus(ofUser, caps.perUser)) this.revokeFamily(grant, 'tokens.revoked')
    const ofClient = this.#heldRefreshTokens(token.client)
    for (const { grant } of surplus(ofClient, caps.refreshTokens)) this.revokeFamily(grant, 'tokens.revoked')
  }

  /** Adds an access token and, in a family, applies the limit. */
  addAccess(token: MAccess): void {
    this.accessTokens.push(token)
    const { grant, parent, client } = token
    if (grant === null || parent !== null) return
    grant.tokensUntil = Math.max(grant.tokensUntil, token.expiresAt)
    const family = this.accessTokens.filter(
      (other) => other.grant === grant && other.parent === null && !other.revoked && this.now < other.expiresAt,
    )
    for (const oldest of surplus(family, client.profile.caps.accessTokens)) {
      oldest.revoked = true
      this.record(client, 'token.revoked')
    }
  }

  /** Removes what has expired for good, which has no visible effect. */
  forgetExpired(): void {
    for (const token of this.accessTokens) if (token.expiresAt < this.now) token.gone = true
    for (const grant of this.grants) if (grant.tokensUntil < this.now) grant.gone = true
    for (const device of this.devices) if (device.expiresAt < this.now) device.gone = true
  }

  /**
   * The refresh tokens that a limit counts: active ones, and those of deactivated
   * users, whose reactivation would otherwise exceed it. Oldest first.
   */
  #heldRefreshTokens(client: MClient): readonly MRefresh[] {
    return this.refreshTokens.filter(
      ({ client: owner, spent, expiresAt, grant }) =>
        owner === client &&
        !spent &&
        this.now < expiresAt &&
        !grant.revoked &&
        grant.clientGeneration === client.generation &&
        grant.userGeneration === grant.user.generation &&
        !grant.user.deleted,
    )
  }
}

/** Whether a party is active, and its tokens were not revoked since the generation. */
export function stands(party: Party, generation: number): boolean {
  return party.admitted && !party.deleted && party.generation === generation
}

/** Whether a token was purged. */
export function isGone(token: MToken): boolean {
  return token.use === 'refresh' ? token.grant.gone : token.gone
}

/** Whether one of a token's audiences is the client's, or the token has no audience. */
export function isMeantFor({ audiences }: MAccess, { clientId, profile }: MClient): boolean {
  return (
    audiences.length === 0 ||
    audiences.some((audience) => audience === clientId || profile.resourceAudiences.includes(audience))
  )
}

/** The number of exchanges between a token and the first. */
export function depthOf({ parent }: MAccess): number {
  return parent === null ? 0 : 1 + depthOf(parent)
}

/** Whether `allowed` includes all of `wanted`. */
export function isWithin(wanted: readonly string[], allowed: readonly string[]): boolean {
  return wanted.every((each) => allowed.includes(each))
}

function surplus<T>(oldestFirst: readonly T[], most: number | null): readonly T[] {
  return most === null ? [] : oldestFirst.slice(0, Math.max(0, oldestFirst.length - most))
}
