import { durationMs, timestampMs } from '@bufbuild/protobuf/wkt'
import { abortable } from '../../abortable.ts'
import type { Channel } from '../../channel.ts'
import { TokenUse } from '../../gen/qscope/v1/token_pb.ts'
import type { Revocation } from '../../gen/qscope/v1/token_service_pb.ts'
import { grpcKeySet, type KeySet } from '../key-set.ts'
import { askAboutToken, type Caller, tokenOf } from '../token-question.ts'
import { LONGEST_TOKEN, type PresentedToken, type TokenVerifier } from '../token-verifier.ts'
import type { VerifiedToken } from '../verified-token.ts'
import { type Clock, type Moment, SYSTEM_CLOCK, Timekeeper } from './clock.ts'
import { Facts } from './facts.ts'
import { KeptAnswers } from './kept-answers.ts'
import { OfflineJudge } from './offline-judge.ts'
import { type Answered, Questions } from './questions.ts'
import { type PolledRevocations, RevocationFeed } from './revocation-feed.ts'

const TIMEOUT_MS = 5_000
const BOUND_MS = 10_000
const LEAST_BOUND_MS = 1_000
const MOST_ANSWERS = 10_000
const MOST_REVOCATIONS = 100_000
/** So long after the keys that were told outgrew memory, the history is read again. */
const OUTGROWN_FOR_MS = 3_600_000

/** Who asks, for whom tokens have to be, and how much is kept. */
export interface CachingVerifierOptions {
  /**
   * Who asks: the resource server as a client, or a source of tokens with
   * `qscope:tokens.read`. What is kept is what this caller may see.
   */
  readonly caller: Caller
  /** The audience that a token must name, unless a use of it says another. `null` takes any. */
  readonly audience: string | null
  /** QScope's issuer, to the letter: its JWTs are then accepted without asking. Without it each token is asked about once. */
  readonly issuer?: string | undefined
  /** Where the keys of JWTs are found; `grpcKeySet` of the channel unless given. */
  readonly keys?: KeySet | undefined
  /**
   * How long a revocation may go unseen while QScope is away, milliseconds: what
   * is known is used until it is so old, and each token asked about from then on.
   * 10 s unless given, 1 s at least. While QScope is there, a revocation is seen
   * within its own interval of 100 ms and one trip.
   */
  readonly boundMs?: number | undefined
  /** So many tokens are remembered, 10,000 unless given; each takes some 2 KiB, and 20 KiB at most. */
  readonly maxAnswers?: number | undefined
  /**
   * So many keys that were told are remembered, 100,000 unless given, at some 150
   * bytes each. Where there are more, JWTs are asked about once, too, until the
   * history is read again, an hour later.
   */
  readonly maxRevocations?: number | undefined
  /** Of one question, milliseconds; 5 s unless given, and at most 60 s. */
  readonly timeoutMs?: number | undefined
  /** A poll failed, and is repeated. */
  readonly onPollFailure?: ((error: unknown) => void) | undefined
  /** For tests; those of the machine unless given. */
  readonly clock?: Clock | undefined
}

/** A token at one use. */
export interface PresentedTokenFor extends PresentedToken {
  /** Instead of the verifier's own audience. */
  readonly audience?: string | null | undefined
}

/** The verifier was closed, so that nothing can be said about a token. */
export class VerifierClosedError extends Error {
  override readonly name = 'VerifierClosedError'

  constructor() {
    super('The verifier was closed.')
  }
}

/** What a verifier knows, for its health and metrics. */
export interface CachingVerifierState {
  /** Whether what is known is young enough to be used; if not, each token is asked about. */
  readonly isCurrent: boolean
  /** How old it is, milliseconds; `null`: nothing is known yet, or not again. */
  readonly ageMs: number | null
  /** Whether JWTs are accepted without asking. */
  readonly acceptsOffline: boolean
  readonly answers: number
  readonly revocations: number
}

/**
 * Verifies tokens from memory. It asks QScope about a token once (`VerifyToken`),
 * keeps the answer, and polls for what ends it early (`PollRevocations`); with an
 * issuer it accepts JWTs by their signature, and asks only about those of which a
 * key was told.
 *
 * What it knows is complete as of its latest poll. Once that is older than
 * `boundMs`, it asks about each token, and without QScope it throws: it never
 * takes a token on the strength of what is too old. Audience, expiry and
 * certificate are judged at every use.
 */
export class CachingVerifier implements TokenVerifier {
  readonly #audience: string | null
  readonly #boundMs: number
  readonly #time: Timekeeper
  readonly #facts: Facts
  readonly #answers: KeptAnswers
  readonly #questions: Questions
  readonly #feed: RevocationFeed
  readonly #judge: OfflineJudge | null
  #isClosed = false
  /** The number of the run of polls that goes on; 0: none was answered yet. */
  #run = 0
  /** As of when everything is known that was told; `null`: not yet in this run. */
  #complete: Moment | null = null
  /** When the keys that were told outgrew memory; `null`: all are known. */
  #outgrown: Moment | null = null

  /** It begins to poll at once. @throws RangeError for bounds that cannot be held. */
  constructor(channel: Channel, options: CachingVerifierOptions) {
    const { caller, audience, issuer, clock = SYSTEM_CLOCK } = options
    const timeoutMs = within('timeoutMs', options.timeoutMs ?? TIMEOUT_MS, 1, 60_000)
    this.#audience = audience
    this.#boundMs = within('boundMs', options.boundMs ?? BOUND_MS, LEAST_BOUND_MS, 3_600_000)
    this.#time = new Timekeeper(clock)
    this.#facts = new Facts(within('maxRevocations', options.maxRevocations ?? MOST_REVOCATIONS, 1))
    this.#answers = new KeptAnswers(within('maxAnswers', options.maxAnswers ?? MOST_ANSWERS, 1), this.#facts)
    this.#judge = issuer === undefined ? null : new OfflineJudge(options.keys ?? grpcKeySet(channel), issuer)
    this.#questions = new Questions({
      ask: (token, certificate) => askAboutToken(channel, caller, { token, certificate, audience: null }, timeoutMs),
      onAnswer: (answered) => this.#onAnswer(answered),
      now: () => ({ run: this.#run, telling: this.#facts.tellings }),
      isCurrent: () => this.#isCurrent(),
    })
    this.#feed = new RevocationFeed(channel, {
      caller,
      start: issuer === undefined ? 'now' : 'history',
      boundMs: this.#boundMs,
      clock,
      time: this.#time,
      mustRestart: () => this.#mustRestart(),
      onAnswer: (polled) => this.#learn(polled),
      onFailure: (error) => options.onPollFailure?.(error),
    })
    void this.#feed.run()
  }

  verify(presented: PresentedTokenFor): Promise<VerifiedToken | null> {
    const known = this.recall(presented)
    return known === undefined ? this.#find(presented) : Promise.resolve(known)
  }

  /** What `verify` answers from memory, at once; `undefined`: it would have to ask, or to check a signature. */
  recall(presented: PresentedTokenFor): VerifiedToken | null | undefined {
    const answer = this.#answers.find(presented.value)
    if (answer === undefined) return undefined
    const time = this.#time.read()
    if (!this.#isCurrentAt(time) || time.timeMs >= answer.expireMs) return undefined
    answer.wasUsed = true
    return this.#judgeUse(answer.token, presented)
  }

  get state(): CachingVerifierState {
    return {
      isCurrent: this.#isCurrent(),
      ageMs: this.#complete === null ? null : Math.max(this.#time.read().since(this.#complete), 0),
      acceptsOffline: this.#judge !== null && this.#outgrown === null && this.#isCurrent(),
      answers: this.#answers.size,
      revocations: this.#facts.toldKeys,
    }
  }

  /** Ends the polls and forgets everything; what is asked already is answered still. */
  close(): void {
    this.#isClosed = true
    this.#complete = null
    this.#feed.close()
    this.#answers.clear()
  }

  #isCurrent(): boolean {
    return this.#isCurrentAt(this.#time.read())
  }

  #isCurrentAt(time: Timekeeper): boolean {
    return this.#complete !== null && time.since(this.#complete) <= this.#boundMs
  }

  async #find(presented: PresentedTokenFor): Promise<VerifiedToken | null> {
    const { value, signal } = presented
    signal?.throwIfAborted()
    if (this.#isClosed) throw new VerifierClosedError()
    if (value === '' || value.length > LONGEST_TOKEN) return null
    const token = await abortable(this.#verify(presented), signal)
    return token === null ? null : this.#judgeUse(token, presented)
  }

  async #verify({ value, certificate }: PresentedTokenFor): Promise<VerifiedToken | null> {
    const judgement = (await this.#judge?.judge(value, () => this.#time.read().timeMs)) ?? 'unsure'
    if (judgement === 'forged') return null
    if (judgement !== 'unsure' && this.#isUntold(judgement.keys) && this.#isUnexpired(judgement.token)) {
      this.#answers.keep(value, judgement.token, judgement.keys, 0)
      return judgement.token
    }
    return await this.#questions.ask(value, certificate)
  }

  /** Whether everything is known that was told, and none of these keys was. */
  #isUntold(keys: readonly string[]): boolean {
    return this.#outgrown === null && this.#isCurrent() && !keys.some((key) => this.#facts.isTold(key))
  }

  #isUnexpired({ expireTime }: VerifiedToken): boolean {
    return this.#time.read().timeMs < expireTime.getTime()
  }

  #onAnswer({ value, certificate, claims, at, isLatest }: Answered): VerifiedToken | null {
    if (claims === null || claims.tokenUse !== TokenUse.ACCESS) {
      this.#dropRefused(value, certificate)
      return null
    }
    const token = tokenOf(claims)
    const keys = claims.revocationKeys.map(keyText)
    // Before a run begins nobody follows what ends a token.
    const isFollowed = isLatest && !this.#isClosed && at.run > 0 && at.run === this.#run && keys.length > 0
    if (isFollowed && this.#facts.stand(keys, at.telling)) this.#answers.keep(value, token, keys, at.telling)
    return token
  }

  /** Whoever shows another certificate is refused without that the token is any worse. */
  #dropRefused(value: string, certificate: string | null): void {
    const bound = this.#answers.find(value)?.token.certificate ?? null
    if (bound === null || bound === certificate) this.#answers.drop(value)
  }

  #judgeUse(token: VerifiedToken, { certificate, audience = this.#audience }: PresentedTokenFor): VerifiedToken | null {
    if (audience !== null && !token.audiences.includes(audience)) return null
    return token.certificate === null || token.certificate === certificate ? token : null
  }

  /** Whether what is known is to be read anew: keys are lacking, or may be for a clock that was ahead. */
  #mustRestart(): boolean {
    const time = this.#time.read()
    if (time.wasAhead) return true
    return this.#judge !== null && this.#outgrown !== null && time.since(this.#outgrown) > OUTGROWN_FOR_MS
  }

  #learn({ answer, begins, sent }: PolledRevocations): void {
    if (begins) {
      this.#run += 1
      this.#complete = null
      this.#outgrown = null
      this.#answers.clear()
      this.#facts.clear()
      this.#time.setRight()
    }
    for (const revocation of answer.revocations) this.#tell(revocation)
    const time = this.#time.read()
    const coveredMs = answer.covered === undefined ? 0 : durationMs(answer.covered)
    if (!answer.more) this.#complete = asOf(sent, coveredMs, time.moment)
    this.#facts.sweep(time.timeMs)
  }

  #tell({ key, forgetTime }: Revocation): void {
    const forgetMs = forgetTime === undefined ? Number.POSITIVE_INFINITY : timestampMs(forgetTime)
    if (this.#facts.tell(keyText(key), forgetMs)) return
    // Which keys were told is known no more.
    this.#outgrown ??= this.#time.read().moment
    this.#answers.clear()
  }
}

/** When everything is known of, at least: never later than now, on either clock, as the server's does not run like them. */
function asOf(sent: Moment, coveredMs: number, now: Moment): Moment {
  return {
    monotonicMs: Math.min(sent.monotonicMs + coveredMs, now.monotonicMs),
    wallMs: Math.min(sent.wallMs + coveredMs, now.wallMs),
  }
}

/** A `CachingVerifier`, with the options of `onlineVerifier` and more. Close it when the server stops. */
export function cachingVerifier(channel: Channel, options: CachingVerifierOptions): CachingVerifier {
  return new CachingVerifier(channel, options)
}

/** As the claim `rvk` has it. */
function keyText(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString('base64url')
}

function within(name: string, value: number, least: number, most = Number.MAX_SAFE_INTEGER): number {
  if (Number.isFinite(value) && value >= least && value <= most) return value
  throw new RangeError(`${name} must be between ${least} and ${most}, not ${value}`)
}
