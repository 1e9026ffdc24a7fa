import { onlineVerifier } from '@qscope/client'
import type { QScope } from '../qscope.ts'

/** `verify <token> [audience]`: what the token says, or that it is not good. */
export async function verify({ channel, client }: QScope, [value = '', audience]: readonly string[]) {
  const verifier = onlineVerifier(channel, { caller: client, audience: audience ?? null })
  const token = await verifier.verify({ value, certificate: null })
  return token === null ? { good: false } : { good: true, ...token }
}
