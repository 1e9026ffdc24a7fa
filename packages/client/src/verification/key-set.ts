import { toJson } from '@bufbuild/protobuf'
import { durationMs } from '@bufbuild/protobuf/wkt'
import type { FlattenedJWSInput, JWTHeaderParameters, JWTVerifyGetKey } from 'jose'
import { createLocalJWKSet, createRemoteJWKSet, errors, type JSONWebKeySet } from 'jose'
import type { Channel } from '../channel.ts'
import { GetJsonWebKeySetResponseSchema, TokenService } from '../gen/qscope/v1/token_service_pb.ts'
import { type Stopwatch, stopwatch } from '../stopwatch.ts'

/** Where the key that a JWT names is found. */
export interface KeySet extends JWTVerifyGetKey {
  /** The revocation key of a signing key of the keys at hand, base64url; `null`: it has none. */
  readonly revocationKeyOf?: (kid: string) => string | null
}

/** The keys are not to be had, so nothing can be said about a token. */
export class KeySetUnavailableError extends Error {
  override readonly name = 'KeySetUnavailableError'

  constructor(cause: unknown) {
    super('The keys of QScope cannot be fetched.', { cause })
  }
}

const TIMEOUT_MS = 5_000
/** QScope's own: for so long at most is a revoked key believed. */
const MAX_AGE_MS = 300_000
/** Made-up key ids must not turn into requests. */
const COOLDOWN_MS = 30_000

interface KnownKeys {
  readonly find: JWTVerifyGetKey
  readonly revocationKeys: ReadonlyMap<string, string>
  readonly age: Stopwatch
  readonly maxAgeMs: number
}

/**
 * The keys as `GetJsonWebKeySet` tells them, which needs no credentials. They
 * are kept for as long as QScope says, fetched anew in the second half of that
 * time while the old ones serve, and at once for an unknown key id, but not more
 * often than every 30 s.
 */
export function grpcKeySet(channel: Channel): KeySet {
  let known: KnownKeys | null = null
  let flight: Promise<KnownKeys> | null = null
  let sinceFetch: Stopwatch | null = null

  async function fetchKeys(): Promise<KnownKeys> {
    const age = stopwatch()
    sinceFetch = age
    const answer = await channel.unary(TokenService.method.getJsonWebKeySet, {}, { timeoutMs: TIMEOUT_MS })
    const maxAgeMs = answer.maxAge === undefined ? MAX_AGE_MS : durationMs(answer.maxAge)
    // The message's JSON is a key set as it stands.
    const json = toJson(GetJsonWebKeySetResponseSchema, answer, { alwaysEmitImplicit: true }) as unknown
    const revocationKeys = new Map(answer.keys.map(({ kid, rvk = '' }) => [kid, rvk]))
    return { find: createLocalJWKSet(json as JSONWebKeySet), revocationKeys, age, maxAgeMs }
  }

  function load(): Promise<KnownKeys> {
    flight ??= fetchKeys()
      .then((keys) => {
        known = keys
        return keys
      })
      .catch((error: unknown) => {
        throw new KeySetUnavailableError(error)
      })
      .finally(() => {
        flight = null
      })
    return flight
  }

  const mayFetch = () => sinceFetch === null || sinceFetch() >= COOLDOWN_MS

  async function current(): Promise<KnownKeys> {
    if (known === null || known.age() >= known.maxAgeMs) return await load()
    // A failure is no harm yet: once these keys are too old, the next caller's own fetch tells.
    if (known.age() >= known.maxAgeMs / 2 && mayFetch()) load().catch(() => undefined)
    return known
  }

  const find = async (header: JWTHeaderParameters, token: FlattenedJWSInput) => {
    const keys = await current()
    try {
      return await keys.find(header, token)
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey) || !mayFetch()) throw error
      return await (await load()).find(header, token)
    }
  }
  return Object.assign(find, { revocationKeyOf: (kid: string) => known?.revocationKeys.get(kid) || null })
}

/** How the keys are fetched over HTTP. */
export interface HttpKeySetOptions {
  /** Lets the keys come over plaintext, where whoever is in between can put in their own. */
  readonly allowPlaintext?: boolean | undefined
}

/** The keys as the HTTP side door publishes them, at `/.well-known/jwks.json`. */
export function httpKeySet(url: URL, { allowPlaintext = false }: HttpKeySetOptions = {}): KeySet {
  if (url.protocol !== 'https:' && !(allowPlaintext && url.protocol === 'http:')) {
    throw new TypeError(`keys must come over https, not from ${url.href} (or say allowPlaintext)`)
  }
  const find = createRemoteJWKSet(url, {
    cacheMaxAge: MAX_AGE_MS,
    cooldownDuration: COOLDOWN_MS,
    timeoutDuration: TIMEOUT_MS,
  })
  const judged: JWTVerifyGetKey = async (header, token) => {
    try {
      return await find(header, token)
    } catch (error) {
      // About the token, not about the keys.
      if (error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys) throw error
      if (error instanceof errors.JOSENotSupported) throw error
      throw new KeySetUnavailableError(error)
    }
  }
  return Object.assign(judged, { revocationKeyOf: (kid: string) => revocationKeyIn(find.jwks(), kid) })
}

function revocationKeyIn(keys: JSONWebKeySet | undefined, kid: string): string | null {
  const found = keys?.keys.find((key) => key.kid === kid)
  const rvk: unknown = found === undefined ? undefined : Reflect.get(found, 'rvk')
  return typeof rvk === 'string' ? rvk : null
}
