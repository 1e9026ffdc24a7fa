import { jsonObject } from '../../json-object.ts'
import { checkUrl } from '../../url.ts'
import type { DocumentFetcher, RemoteDocument } from './document-fetcher.ts'

/**
 * The location of an issuer's key set according to its metadata, or the reason why it is unknown. `unavailable`: a
 * later attempt may succeed.
 */
export type DiscoveredKeySet =
  | { readonly ok: true; readonly url: string }
  | { readonly ok: false; readonly problem: string; readonly unavailable: boolean }

/**
 * Reads the metadata of an issuer from the URL of OpenID Connect Discovery 1.0 §4. If there is none, it uses the URL of
 * RFC 8414 §3. The `issuer` in the metadata must equal the issuer byte for byte (RFC 8414 §3.3). Otherwise other
 * metadata could provide keys for this issuer. Never throws.
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
  if (metadata === null) return lying(`${place} is not a JSON object in which each name occurs once`)
  if (metadata['issuer'] !== issuer) return lying(`${place} is the metadata of another issuer than ${issuer}`)
  const { jwks_uri: url } = metadata
  return typeof url === 'string' ? { ok: true, url } : lying(`${place} has no jwks_uri`)
}

function lying(problem: string): DiscoveredKeySet {
  return { ok: false, problem, unavailable: false }
}

/** The issuer has no query and no fragment. A trailing slash is not part of the path. */
function metadataUrls({ origin, pathname }: URL): readonly [openId: string, oauth: string] {
  const path = pathname.replace(/\/$/, '')
  return [
    `${origin}${path}/.well-known/openid-configuration`,
    `${origin}/.well-known/oauth-authorization-server${path}`,
  ]
}
