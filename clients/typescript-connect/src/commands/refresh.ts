import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { userSession } from '@qscope/client'
import type { QScope } from '../qscope.ts'

/** `refresh <file>`: the file holds the refresh token, and then its successor. */
export async function refresh({ channel, client }: QScope, [file = 'refresh-token']: readonly string[]) {
  const session = userSession(channel, {
    client,
    refreshToken: readFileSync(file, 'utf8').trim(),
    save: ({ refreshToken }) => {
      // Renamed into place, so that a crash leaves one of the two whole.
      writeFileSync(`${file}.new`, refreshToken, { mode: 0o600 })
      renameSync(`${file}.new`, file)
    },
  })
  const token = await session.token()
  return { accessToken: token.value, tokenId: token.tokenId, scopes: token.scopes }
}
