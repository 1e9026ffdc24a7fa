import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { JsonObject } from '@bufbuild/protobuf'

const CONFORMANCE = join(import.meta.dirname, '..', '..', '..', '..', 'clients', 'conformance')

/** The answer of the server about a token. Times are seconds from the clock of the table. */
export interface CaseClaims {
  readonly client_id: string
  readonly subject: string
  readonly scopes: readonly string[]
  readonly audiences: readonly string[]
  readonly issued_in: number
  readonly expires_in: number
  readonly certificate: string | null
  readonly extra: JsonObject
}

export interface UseStep {
  readonly use: string
  readonly audience?: string | null
  readonly required_scopes?: readonly string[]
  readonly certificate?: string
  readonly result?: string
  readonly asks?: string
  readonly joins?: string
}

export interface AnswerStep {
  readonly answer: string
  readonly with: 'active' | 'invalid_token' | 'unavailable'
  readonly keys?: readonly string[]
  readonly results: readonly string[]
  readonly asks?: string
}

export interface PollStep {
  readonly poll: 'answered' | 'fails'
  readonly from?: string
  readonly tells?: readonly { readonly key: string; readonly forget_in?: number; readonly no_forget_time?: true }[]
  readonly next?: string
  readonly more?: boolean
  readonly reset?: boolean
  readonly covered_ms?: number
}

export interface ClockStep {
  readonly clock: { readonly monotonic_ms: number; readonly wall_ms: number }
}

export type Step = UseStep | AnswerStep | PollStep | ClockStep | { readonly close: true }

export interface CachingVerifierCase {
  readonly name: string
  readonly start: 'now' | 'history'
  readonly max_answers?: number
  readonly max_revocations?: number
  readonly key_set?: 'unavailable' | 'empty'
  readonly steps: readonly Step[]
}

interface CaseToken {
  readonly keys: readonly string[]
  readonly claims?: Partial<CaseClaims>
  readonly token_use?: 'refresh'
}

/** clients/conformance/caching-verifier-cases.json; the README there describes its members. */
export const table = read<{
  readonly clock: number
  readonly issuer: string
  readonly audience: string
  readonly bound_ms: number
  readonly certificates: Readonly<Record<string, string>>
  readonly claims: CaseClaims
  readonly tokens: Readonly<Record<string, CaseToken>>
  readonly cases: readonly CachingVerifierCase[]
}>('caching-verifier-cases.json')

/** clients/conformance/caching-verifier-tokens.json. */
export const finished = read<{
  readonly keys: readonly { readonly kid: string; readonly rvk?: string }[]
  readonly tokens: Readonly<Record<string, string>>
}>('caching-verifier-tokens.json')

function read<T>(name: string): T {
  return JSON.parse(readFileSync(join(CONFORMANCE, name), 'utf8')) as T
}

/** The 16 bytes of a revocation key. The table names the key by its text. */
export function revocationKey(name: string): Uint8Array {
  const bytes = Buffer.alloc(16)
  bytes.write(name, 'ascii')
  return bytes
}
