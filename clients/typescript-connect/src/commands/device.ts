import { authorizeDevice } from '@qscope/client'
import type { QScope } from '../qscope.ts'

/** `device [scope…]`: shows a code on standard error, and waits for the user. */
export async function device({ channel, client }: QScope, scopes: readonly string[]) {
  const outcome = await authorizeDevice(channel, {
    client,
    scopes,
    prompt: ({ userCode, verificationUri }) => console.error(`open ${verificationUri} and type ${userCode}`),
    onFallback: () => console.error('the stream broke: polling'),
  })
  if (outcome.state !== 'approved') return { state: outcome.state }
  const { accessToken, refreshToken } = outcome
  return { state: outcome.state, accessToken: accessToken.value, scopes: accessToken.scopes, refreshToken }
}
