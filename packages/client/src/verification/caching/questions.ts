import type { TokenClaims } from '../../gen/qscope/v1/token_pb.ts'
import type { VerifiedToken } from '../verified-token.ts'

/** What was known when a question was sent. */
export interface AskedAt {
  /** The run of polls that was going on; 0: none. */
  readonly run: number
  /** The number of the latest telling. */
  readonly telling: number
}

/** How questions are asked. */
export interface QuestionsOptions {
  readonly ask: (value: string, certificate: string | null) => Promise<TokenClaims | null>
  /** Hears of each answer once, and says what callers get. */
  readonly onAnswer: (answered: Answered) => VerifiedToken | null
  readonly now: () => AskedAt
  /** Whether memory is good: where it is too old, an answer that was asked for before may be, too. */
  readonly isCurrent: () => boolean
}

/** An answer, and what was known when it was asked for. */
export interface Answered {
  readonly value: string
  readonly certificate: string | null
  /** `null`: the token is not good. */
  readonly claims: TokenClaims | null
  readonly at: AskedAt
  /** Whether the same was not asked again since: else that answer counts. */
  readonly isLatest: boolean
}

interface Question {
  /** `null` until it is sent. */
  at: AskedAt | null
  readonly answered: Promise<VerifiedToken | null>
}

/**
 * The questions to QScope that are on their way, so that callers with the same
 * token share one. A question is sent when the turn of the event loop is over.
 * From then on a caller joins it only as long as the answer is as good as one
 * from memory would be: nothing was told since. A refusal is never as good: no key
 * tells that a token is active again, so whoever joined asks once more.
 */
export class Questions {
  readonly #options: QuestionsOptions
  /** The latest about each token and certificate. */
  readonly #latest = new Map<string, Question>()

  constructor(options: QuestionsOptions) {
    this.#options = options
  }

  async ask(value: string, certificate: string | null): Promise<VerifiedToken | null> {
    const question = this.#joinOrSend(value, certificate)
    const wasSentBefore = question.at !== null
    const token = await question.answered
    return token === null && wasSentBefore ? await this.#joinOrSend(value, certificate).answered : token
  }

  #joinOrSend(value: string, certificate: string | null): Question {
    const name = `${certificate ?? ''} ${value}`
    const latest = this.#latest.get(name)
    if (latest !== undefined && this.#mayJoin(latest)) return latest
    const { ask, onAnswer, now } = this.#options
    const question: Question = {
      at: null,
      answered: new Promise<void>((resolve) => setImmediate(resolve)).then(async () => {
        const at = now()
        question.at = at
        try {
          const claims = await ask(value, certificate)
          return onAnswer({ value, certificate, claims, at, isLatest: this.#latest.get(name) === question })
        } finally {
          if (this.#latest.get(name) === question) this.#latest.delete(name)
        }
      }),
    }
    this.#latest.set(name, question)
    return question
  }

  #mayJoin({ at }: Question): boolean {
    if (at === null) return true
    const { run, telling } = this.#options.now()
    return at.run === run && at.telling === telling && this.#options.isCurrent()
  }
}
