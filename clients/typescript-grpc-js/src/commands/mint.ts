import { clientCredentials } from '@qscope/client'
import type { QScope } from '../qscope.ts'

/** `mint [scope…]`: ten callers at once, and one that comes later, have the same token. */
export async function mint({ channel, client }: QScope, scopes: readonly string[]) {
  const source = clientCredentials(channel, {
    client,
    scopes,
    onRenewalFailure: (error) => console.error('renewal failed, the token at hand stays in use', error),
  })
  const tokens = await Promise.all(Array.from({ length: 10 }, () => source.token()))
  const later = await source.token()
  return {
    accessToken: later.value,
    tokenId: later.tokenId,
    scopes: later.scopes,
    tokensMinted: new Set([...tokens, later].map(({ value }) => value)).size,
  }
}
