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
 * A fact that can end tokens before they expire. A client and a user stand in it at
 * one token generation: it ends with the generation, and with their being disabled,
 * deactivated or deleted.
 */
export type RevocableFact =
  | { readonly kind: 'token'; readonly tokenId: TokenId }
  | { readonly kind: 'grant'; readonly grantId: GrantId }
  | { readonly kind: 'client'; readonly clientId: ClientId; readonly generation: number }
  | { readonly kind: 'user'; readonly userId: UserId; readonly generation: number }
  | { readonly kind: 'signing_key'; readonly keyId: SigningKeyId }

/** As far as it depends on itself; it ends with its ancestors, too. At most five, so at most thirty of a token and its ancestors. */
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

/** What of a token says what can end it. */
export type RevocableToken = Pick<
  AccessToken,
  'tokenId' | 'grantId' | 'clientId' | 'clientGeneration' | 'userId' | 'userGeneration' | 'signingKeyId'
>

/** What a token depends on by itself: as many facts as there are kinds. */
export const MOST_FACTS_OF_TOKEN = 5

/** How many bytes a revocation key has. */
export const REVOCATION_KEY_BYTES = 16

/** A fact that ended. */
export interface EndedFact {
  readonly fact: RevocableFact
  /** When it would have ended by itself; `null`: it would not have. */
  readonly expiresAt: EpochMs | null
}

/** How far a writer's revocations reach: those up to `sequence` are committed. */
export interface RevocationHead {
  /** Names the writer. Never given to another one. */
  readonly writer: number
  /** That of its last revocation; from 1, without order between writers. */
  readonly sequence: number
}

/** The head of a writer that tells something still. */
export interface EnteredHead extends RevocationHead {
  /** When the writer was entered, by the database's clock. */
  readonly createdAt: EpochMs
}

/** The revocations of a writer after one sequence, up to and with another one. */
export interface RevocationRange {
  readonly writer: number
  readonly after: number
  readonly upTo: number
}

/** How far all writers have come at one moment. */
export interface RevocationHeads {
  /** Tells one database from another: when the tables of revocations were made. */
  readonly madeAt: EpochMs
  /** The time by the database's clock. */
  readonly now: EpochMs
  /** In ascending order of the writers. */
  readonly heads: readonly EnteredHead[]
}

/** A key that was told, at its place among those of its writer. */
export interface Revocation extends RevocationHead {
  /** 16 bytes; the same key may be told any number of times. */
  readonly key: Buffer
  /** When no unexpired token can carry the key any more, and it need not be known. */
  readonly forgetTime: EpochMs
}

/** No client is given access tokens that live longer. */
export const LONGEST_TOKEN_LIFE = milliseconds(86_400_000)
/** A call that takes longer has long been given up by whoever made it. */
const LONGEST_CALL_MS = 600_000
/** No instance may be told to mint with a clock that is further off than this. */
export const MOST_CLOCK_SKEW = milliseconds(300_000)
/** By the database's clock, revocations are kept for so long after they can be forgotten. */
export const REVOCATION_KEPT = milliseconds(3_600_000)
/** So much later than the end of a fact, by the database's clock, no token that carries it is left. */
export const FACT_OUTLIVED = milliseconds(LONGEST_TOKEN_LIFE + LONGEST_CALL_MS + MOST_CLOCK_SKEW)

/**
 * When the keys of a fact that ended `now`, by the database's clock, may be forgotten.
 * Nothing that carries a token as an ancestor outlives it.
 */
export function forgetTimeOf({ fact, expiresAt }: EndedFact, now: EpochMs): EpochMs {
  const latest = later(now, FACT_OUTLIVED)
  if (expiresAt === null) return latest
  return fact.kind === 'token' ? expiresAt : epochMs(Math.min(expiresAt, latest))
}
