import { type Milliseconds, milliseconds } from '../domain/ids.ts'
import { jsonObject } from '../json-object.ts'
import { type ReadKeySet, readKeySet, SPIFFE_KEYS } from './key-set.ts'

/** The bundle of a trust domain (SPIFFE Trust Domain and Bundle §4), as far as JWT-SVIDs go. */
export interface SpiffeBundle {
  /** Those of its keys that are for JWT-SVIDs. */
  readonly keySet: ReadKeySet
  /** How long after the bundle was fetched it should be fetched again (§4.1.2); `null`: it does not say. */
  readonly refreshHint: Milliseconds | null
}

const SECOND = 1_000
const LONGEST_HINT_S = 86_400

/**
 * Reads a bundle. A member that is no whole number of seconds, or a sequence that is no whole number, makes
 * it none; the sequence orders bundles for monitoring (§4.1.1) and chooses nothing here. Never throws.
 */
export function readSpiffeBundle(text: string): SpiffeBundle {
  const keySet = readKeySet(text, SPIFFE_KEYS)
  if (!keySet.ok) return { keySet, refreshHint: null }
  const { spiffe_sequence: sequence = 0, spiffe_refresh_hint: hint = null } = jsonObject(Buffer.from(text)) ?? {}
  const problems = [
    ...(isWhole(sequence) ? [] : ['has a spiffe_sequence that is no whole number']),
    ...(hint === null || isWhole(hint) ? [] : ['has a spiffe_refresh_hint that is no whole number of seconds']),
  ]
  if (problems.length > 0) return { keySet: { ok: false, problems }, refreshHint: null }
  return { keySet, refreshHint: isWhole(hint) ? milliseconds(Math.min(hint, LONGEST_HINT_S) * SECOND) : null }
}

function isWhole(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0
}
