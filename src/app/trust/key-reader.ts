import { open } from 'node:fs/promises'
import { ISSUER_KEYS, type ReadKeySet, readKeySet, type VerificationKey } from '../../crypto/key-set.ts'
import { readSpiffeBundle } from '../../crypto/spiffe-bundle.ts'
import type { Milliseconds } from '../../domain/ids.ts'
import type { KeyHolder } from '../../domain/trusted-issuer.ts'
import { firstLineOf } from '../../message-of.ts'
import { discoverKeySet } from './discovery.ts'
import { type DocumentFetcher, FETCH_TIMEOUT_MS, type RemoteDocument } from './document-fetcher.ts'

/** The current keys of a party. */
export type ReadKeys =
  | {
      readonly ok: true
      readonly keys: readonly VerificationKey[]
      readonly leftOut: readonly string[]
      /** The time after which the party suggests another read. `null`: it suggests none. */
      readonly refreshHint: Milliseconds | null
    }
  /**
   * `problem`: one line that contains the location of the keys. `unavailable`: the keys cannot be read now; otherwise
   * they were read but are unusable.
   */
  | { readonly ok: false; readonly problem: string; readonly unavailable: boolean }

/** Identifies the keys to read. */
export type KeyPlace = KeyHolder

/** Reads keys from their source: the registration, a file, a URL, or the `jwks_uri` in the issuer's metadata. */
export class KeyReader {
  readonly #fetcher: DocumentFetcher

  constructor(fetcher: DocumentFetcher) {
    this.#fetcher = fetcher
  }

  /** All fetches together take at most 5 s. Never throws. */
  async read(place: KeyPlace): Promise<ReadKeys> {
    const { keys: location, origin } = place
    switch (location.kind) {
      case 'inline':
        return readText(place.kind, location.jwks, 'that was given')
      case 'file': {
        const { path } = location
        try {
          return readText(place.kind, await smallFile(path), `at ${path}`)
        } catch (error) {
          return unavailable(firstLineOf(error))
        }
      }
      case 'url':
        return await this.#fetched(place.kind, { url: location.url, ca: location.ca, origin }, patience())
      case 'discovery': {
        const signal = patience()
        const by = { ca: location.ca, origin }
        const found = await discoverKeySet(place.issuer, by, this.#fetcher, signal)
        return found.ok ? await this.#fetched(place.kind, { ...by, url: found.url }, signal) : found
      }
      default:
        return location satisfies never
    }
  }

  async #fetched(kind: KeyHolder['kind'], document: RemoteDocument, signal: AbortSignal): Promise<ReadKeys> {
    const fetched = await this.#fetcher.fetch(document, signal)
    return fetched.ok ? readText(kind, fetched.text, `at ${document.url}`) : unavailable(fetched.problem)
  }
}

function patience(): AbortSignal {
  return AbortSignal.timeout(FETCH_TIMEOUT_MS)
}

/** Parses the keys of a document. `place` completes "the key set …". */
function readText(kind: KeyHolder['kind'], text: string, place: string): ReadKeys {
  if (kind === 'jwt') return outcomeOf(readKeySet(text, ISSUER_KEYS), `the key set ${place}`, null)
  const { keySet, refreshHint } = readSpiffeBundle(text)
  return outcomeOf(keySet, `the bundle ${place}`, refreshHint)
}

function outcomeOf(read: ReadKeySet, place: string, refreshHint: Milliseconds | null): ReadKeys {
  if (read.ok) return { ...read, refreshHint }
  return { ok: false, problem: `${place} ${read.problems.join('; ')}`, unavailable: false }
}

function unavailable(problem: string): ReadKeys {
  return { ok: false, problem, unavailable: true }
}

/** Reads a file up to one byte beyond the size limit of a key set. Throws an error of one line. */
async function smallFile(path: string): Promise<string> {
  const file = await open(path)
  try {
    if (!(await file.stat()).isFile()) throw new Error(`${path} is not a file`)
    const size = ISSUER_KEYS.maxBytes + 1
    const { buffer, bytesRead } = await file.read(Buffer.alloc(size), 0, size, 0)
    return buffer.toString('utf8', 0, bytesRead)
  } finally {
    await file.close()
  }
}
