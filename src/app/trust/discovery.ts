import { jsonObject } from '../../json-object.ts'
import { checkUrl } from '../../url.ts'
import type { DocumentFetcher, RemoteDocument } from './document-fetcher.ts'

/** Where an issuer's key set is, as its metadata says, or why it cannot be told. `unavailable`: it may be another time. */
export type DiscoveredKeySet =
  | { readonly ok: true; readonly url: string }
  | { readonly ok: false; readonly problem: string; readonly unavailable: boolean }

/**
 * Looks for the metadata of an issuer where OpenID Connect Discovery 1.0 §4 puts it, and where there is none, where
 * RFC 8414 §3 does. The `issuer` in it has to be the issuer, byte for byte (RFC 8414 §3.3): otherwise anybody whose
 * metadata is found could give keys to another issuer. Never throws.
 */
export async function discoverKeySet(
  issuer: string,
  by: Omit<RemoteDocument, 'url'>,
  fetcher: Pick<DocumentFetcher, 'fetch'>,
  signal: AbortSignal,
): Promise<DiscoveredKeySet> {
  const checked = checkUrl(issuer, { query: false })
  if (!checked.ok) return lying(`the issuer ${issuer} cannot be discovered: it ${checked.problem}`)
  const [openId, oauth] = metadataUrls(checked.url)
  const first = await fetcher.fetch({ ...by, url: openId }, signal)
  const isMissing = !first.ok && first.status !== null && first.status < 500
  const found = isMissing ? await fetcher.fetch({ ...by, url: oauth }, signal) : first
  const place = isMissing ? oauth : openId
  if (!found.ok) {
    const problem = isMissing && !first.ok ? `${first.problem}, and ${found.problem}` : found.problem
    return { ok: false, problem, unavailable: true }
  }
  const metadata = jsonObject(Buffer.from(found.text))
  if (metadata === null) return lying(`${place} is no JSON object with each name once`)
  if (metadata['issuer'] !== issuer) return lying(`${place} is the metadata of another issuer than ${issuer}`)
  const { jwks_uri: url } = metadata
  return typeof url === 'string' ? { ok: true, url } : lying(`${place} names no jwks_uri`)
}

function lying(problem: string): DiscoveredKeySet {
  return { ok: false, problem, unavailable: false }
}

/** Of an issuer without query and fragment; a slash at its end is none of the path. */
function metadataUrls({ origin, pathname }: URL): readonly [openId: string, oauth: string] {
  const path = pathname.replace(/\/$/, '')
  return [
    `${origin}${path}/.well-known/openid-configuration`,
    `${origin}/.well-known/oauth-authorization-server${path}`,
  ]
}
