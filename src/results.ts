import type { DetailsOf, ErrorCode, ErrorDetails } from './errors/registry.ts'

/** A business answer. Accidents are thrown instead. */
export type Result<T> = SuccessResult<T> | FailedResult

export interface SuccessResult<T> {
  readonly ok: true
  readonly value: T
}

/** A refusal the caller may see: a row of the registry and its details. */
export interface FailedResult {
  readonly ok: false
  readonly code: ErrorCode
  readonly details: ErrorDetails
  /** The claim that did not hold, for the log; never sent. */
  readonly condition?: string
}

export function success<T>(value: T): SuccessResult<T> {
  return { ok: true, value }
}

/** What a condition returns that holds and has nothing to add. */
export const HOLDS: SuccessResult<Record<never, never>> = Object.freeze({ ok: true, value: Object.freeze({}) })

type DetailsArgument<Code extends ErrorCode> =
  Record<never, never> extends DetailsOf<Code> ? [details?: DetailsOf<Code>] : [details: DetailsOf<Code>]

/** Refuses with a registered error; the compiler asks for the row's details. */
export function fail<Code extends ErrorCode>(code: Code, ...[details]: DetailsArgument<Code>): FailedResult {
  return { ok: false, code, details: details ?? {} }
}

/** Refuses a request for what is wrong with one of its fields. */
export function invalidRequest(field: string, description: string): FailedResult {
  return fail('oauth.invalid_request', { violations: [{ field, description }] })
}

/** When to come back, in milliseconds, where nothing better is known. */
export const RETRY_AFTER_MS = 1_000

/** Applies a function to a success; a refusal passes through. */
export function mapResult<T, U>(result: Result<T>, change: (value: T) => U): Result<U> {
  return result.ok ? success(change(result.value)) : result
}
