import type { AccessToken } from './access-token.ts'
import {
  type ClientId,
  type EpochMs,
  epochMs,
  type GrantId,
  later,
  milliseconds,
  type SigningKeyId,
  type TokenId,
  type UserId,
} from './ids.ts'

/**
 * A fact that can end tokens before they expire. For a client or a user, the fact is one token generation. It ends with the
 * generation, and when the client or user is disabled, deactivated or deleted.
 */
export type RevocableFact =
  | { readonly kind: 'token'; readonly tokenId: TokenId }
  | { readonly kind: 'grant'; readonly grantId: GrantId }
  | { readonly kind: 'client'; readonly clientId: ClientId; readonly generation: number }
  | { readonly kind: 'user'; readonly userId: UserId; readonly generation: number }
  | { readonly kind: 'signing_key'; readonly keyId: SigningKeyId }

/** The facts of the token itself: at most five. Its ancestors have facts, too, so at most thirty in total. */
export function revocableFactsOf(token: RevocableToken): readonly RevocableFact[] {
  const { tokenId, grantId, clientId, clientGeneration, userId, userGeneration, signingKeyId } = token
  const facts: RevocableFact[] = [
    { kind: 'token', tokenId },
    { kind: 'client', clientId, generation: clientGeneration },
  ]
  if (grantId !== null) facts.push({ kind: 'grant', grantId })
  if (userId !== null && userGeneration !== null) facts.push({ kind: 'user', userId, generation: userGeneration })
  if (signingKeyId !== null) facts.push({ kind: 'signing_key', keyId: signingKeyId })
  return facts
}

/** The properties of a token that determine its facts. */
export type RevocableToken = Pick<
  AccessToken,
  'tokenId' | 'grantId' | 'clientId' | 'clientGeneration' | 'userId' | 'userGeneration' | 'signingKeyId'
>

/** One fact of each kind. */
export const MOST_FACTS_OF_TOKEN = 5

/** The length of a revocation key in bytes. */
export const REVOCATION_KEY_BYTES = 16

/** A fact that ended. */
export interface EndedFact {
  readonly fact: RevocableFact
  /** When it would have ended without a revocation. `null`: never. */
  readonly expiresAt: EpochMs | null
}

/** The end of a writer's revocations: all up to `sequence` are committed. */
export interface RevocationHead {
  /** The number of the writer. It is never reused. */
  readonly writer: number
  /** The number of its last revocation, from 1. Numbers of different writers are unrelated. */
  readonly sequence: number
}

/** The head of a writer that still has revocations to read. */
export interface EnteredHead extends RevocationHead {
  /** When the writer was registered, by the database's clock. */
  readonly createdAt: EpochMs
}

/** The revocations of a writer after one sequence number, up to and including another. */
export interface RevocationRange {
  readonly writer: number
  readonly after: number
  readonly upTo: number
}

/** The heads of all writers at one moment. */
export interface RevocationHeads {
  /** When the tables of revocations were created. Distinguishes one database from another. */
  readonly madeAt: EpochMs
  /** The time by the database's clock. */
  readonly now: EpochMs
  /** In ascending order of the writers. */
  readonly heads: readonly EnteredHead[]
}

/** A revocation key and its place among those of its writer. */
export interface Revocation extends RevocationHead {
  /** 16 bytes. The same key may occur any number of times. */
  readonly key: Buffer
  /** When no unexpired token can carry the key any more. The revocation can be forgotten then. */
  readonly forgetTime: EpochMs
}

/** No client's access tokens may live longer. */
export const LONGEST_TOKEN_LIFE = milliseconds(86_400_000)
/** Callers have given up a call that takes longer. */
const LONGEST_CALL_MS = 600_000
/** An instance whose clock is further off must not be allowed to mint. */
export const MOST_CLOCK_SKEW = milliseconds(300_000)
/** Revocations are kept for this time after `forgetTime`, by the database's clock. */
export const REVOCATION_KEPT = milliseconds(3_600_000)
/** This long after the end of a fact, by the database's clock, all tokens that carry it have expired. */
export const FACT_OUTLIVED = milliseconds(LONGEST_TOKEN_LIFE + LONGEST_CALL_MS + MOST_CLOCK_SKEW)

/**
 * When the keys of a fact that ended at `now`, by the database's clock, may be forgotten. A token with an ancestor expires no
 * later than the ancestor.
 */
export function forgetTimeOf({ fact, expiresAt }: EndedFact, now: EpochMs): EpochMs {
  const latest = later(now, FACT_OUTLIVED)
  if (expiresAt === null) return latest
  return fact.kind === 'token' ? expiresAt : epochMs(Math.min(expiresAt, latest))
}
