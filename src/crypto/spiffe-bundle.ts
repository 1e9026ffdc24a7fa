import { type Milliseconds, milliseconds } from '../domain/ids.ts'
import { jsonObject } from '../json-object.ts'
import { type ReadKeySet, readKeySet, SPIFFE_KEYS } from './key-set.ts'

/** The parts of a trust domain's bundle for JWT-SVIDs (SPIFFE Trust Domain and Bundle §4). */
export interface SpiffeBundle {
  /** The keys for JWT-SVIDs. */
  readonly keySet: ReadKeySet
  /** When to fetch the bundle again after a fetch (§4.1.2). `null`: the bundle does not say. */
  readonly refreshHint: Milliseconds | null
}

const SECOND = 1_000
const LONGEST_HINT_S = 86_400

/**
 * Parses a bundle. A refresh hint that is not a whole number of seconds, or a sequence that is not a whole number, makes it
 * invalid. The sequence orders bundles for monitoring (§4.1.1) and has no effect here. Never throws.
 */
export function readSpiffeBundle(text: string): SpiffeBundle {
  const keySet = readKeySet(text, SPIFFE_KEYS)
  if (!keySet.ok) return { keySet, refreshHint: null }
  const { spiffe_sequence: sequence = 0, spiffe_refresh_hint: hint = null } = jsonObject(Buffer.from(text)) ?? {}
  const problems = [
    ...(isWhole(sequence) ? [] : ['has a spiffe_sequence that is not a whole number']),
    ...(hint === null || isWhole(hint) ? [] : ['has a spiffe_refresh_hint that is not a whole number of seconds']),
  ]
  if (problems.length > 0) return { keySet: { ok: false, problems }, refreshHint: null }
  return { keySet, refreshHint: isWhole(hint) ? milliseconds(Math.min(hint, LONGEST_HINT_S) * SECOND) : null }
}

function isWhole(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0
}
