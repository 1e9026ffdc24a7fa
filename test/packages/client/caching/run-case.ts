import { expect } from 'vitest'
import { QScopeError } from '../../../../packages/client/src/qscope-error.ts'
import {
  CachingVerifier,
  type PresentedTokenFor,
  VerifierClosedError,
} from '../../../../packages/client/src/verification/caching/caching-verifier.ts'
import type { Clock } from '../../../../packages/client/src/verification/caching/clock.ts'
import { type AnswerStep, type CachingVerifierCase, finished, type PollStep, table, type UseStep } from './cases.ts'
import { originOf, ScriptedServer } from './scripted-server.ts'

const PATIENCE_MS = 400

/** Clocks that only advance when a step moves them. Waiting takes no time. */
class VirtualClock implements Clock {
  #monotonicMs = 7_000_000
  #wallMs = table.clock * 1_000

  monotonicMs(): number {
    return this.#monotonicMs
  }

  wallMs(): number {
    return this.#wallMs
  }

  pause(): Promise<void> {
    return new Promise((resolve) => setImmediate(resolve))
  }

  move(monotonicMs: number, wallMs: number): void {
    this.#monotonicMs += monotonicMs
    this.#wallMs += wallMs
  }
}

/** Runs one case, and throws at the first step with another result. */
export async function runCase(script: CachingVerifierCase): Promise<void> {
  const run = new CaseRun(script)
  try {
    for (const [index, step] of script.steps.entries()) {
      await run.play(step).catch((error: unknown) => {
        throw new Error(`step ${index + 1}, ${JSON.stringify(step)}`, { cause: error })
      })
    }
    await run.settle()
  } finally {
    run.end()
  }
}

class CaseRun {
  readonly #server: ScriptedServer
  readonly #clock = new VirtualClock()
  readonly #verifier: CachingVerifier
  #isClosed = false
  /** The running verifications, with the uses that wait for them. */
  readonly #asked = new Map<string, { question: ScriptedServer['questions'][number]; waiting: Promise<string>[] }>()

  constructor({
    start,
    max_answers: maxAnswers,
    max_revocations: maxRevocations,
    key_set: keySet,
  }: CachingVerifierCase) {
    this.#server = new ScriptedServer(keySet ?? 'available')
    this.#verifier = new CachingVerifier(this.#server.channel, {
      caller: { clientId: 'warehouse', clientSecret: 'qcs_secret' },
      audience: table.audience,
      issuer: start === 'history' ? table.issuer : undefined,
      boundMs: table.bound_ms,
      clock: this.#clock,
      maxAnswers,
      maxRevocations,
    })
  }

  async play(step: CachingVerifierCase['steps'][number]): Promise<void> {
    if ('use' in step) await this.#use(step)
    else if ('answer' in step) await this.#answer(step)
    else if ('poll' in step) await this.#poll(step)
    else if ('clock' in step) this.#clock.move(step.clock.monotonic_ms, step.clock.wall_ms)
    else this.end()
    await this.settle()
  }

  /** Waits until the server has a poll, and checks that there was no verification without a step. */
  async settle(): Promise<void> {
    if (!this.#isClosed) await until(() => this.#server.polls.length > 0)
    expect(this.#server.questions.map(({ request }) => request.token)).toEqual([])
  }

  end(): void {
    this.#isClosed = true
    this.#verifier.close()
  }

  async #use(step: UseStep): Promise<void> {
    const outcome = outcomeOf(this.#verifier, step)
    if (step.result !== undefined) return expect(await outcome).toBe(step.result)
    if (step.asks !== undefined) {
      const question = await this.#nextQuestion()
      expect(question.request).toMatchObject({ token: finished.tokens[step.use], requiredScopes: [] })
      expect(question.request.audience).toBeUndefined()
      expect(question.request.presentedCertificateSha256).toBe(thumbprint(step))
      this.#asked.set(step.asks, { question, waiting: [outcome] })
      return
    }
    // Long enough to check a signature and to send a call.
    await new Promise((resolve) => setTimeout(resolve, 20))
    this.#asked.get(step.joins ?? '')?.waiting.push(outcome)
  }

  async #answer(step: AnswerStep): Promise<void> {
    const asked = this.#asked.get(step.answer)
    if (asked === undefined) throw new Error(`nobody asked ${step.answer}`)
    this.#server.answerQuestion(asked.question, step)
    const { results, asks } = step
    const rest = asks === undefined ? [] : asked.waiting.splice(results.length)
    expect(await Promise.all(asked.waiting)).toEqual(results)
    if (asks === undefined) return
    const question = await this.#nextQuestion()
    expect(question.request).toEqual(asked.question.request)
    this.#asked.set(asks, { question, waiting: rest })
  }

  async #nextQuestion(): Promise<ScriptedServer['questions'][number]> {
    await until(() => this.#server.questions.length > 0)
    const [question] = this.#server.questions.splice(0, 1)
    if (question === undefined) throw new Error('the question is gone')
    return question
  }

  async #poll(step: PollStep): Promise<void> {
    await until(() => this.#server.polls.length > 0)
    const [poll] = this.#server.polls.splice(0, 1)
    if (poll === undefined) throw new Error('no poll waits')
    if (step.from !== undefined) expect(originOf(poll)).toBe(step.from)
    this.#server.answerPoll(poll, step)
  }
}

/** In the package, the interceptors check scopes. */
async function outcomeOf(verifier: CachingVerifier, step: UseStep): Promise<string> {
  const presented: PresentedTokenFor = {
    value: finished.tokens[step.use] ?? '',
    certificate: thumbprint(step) ?? null,
    ...(step.audience !== undefined && { audience: step.audience }),
  }
  try {
    const token = await verifier.verify(presented)
    if (token === null) return 'invalid_token'
    expect(token.extra).toEqual({ ...table.claims, ...table.tokens[step.use]?.claims }.extra)
    const { required_scopes: required = [] } = step
    return required.every((scope) => token.scopes.includes(scope)) ? 'accepted' : 'insufficient_scope'
  } catch (error) {
    if (error instanceof VerifierClosedError || (error instanceof QScopeError && error.isTemporary))
      return 'unavailable'
    throw error
  }
}

function thumbprint({ certificate }: UseStep): string | undefined {
  return certificate === undefined ? undefined : table.certificates[certificate]
}

async function until(holds: () => boolean): Promise<void> {
  const started = performance.now()
  while (!holds()) {
    if (performance.now() - started > PATIENCE_MS) throw new Error('it did not come to pass')
    await new Promise((resolve) => setImmediate(resolve))
  }
}
