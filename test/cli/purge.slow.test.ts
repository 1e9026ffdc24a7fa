import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { expect, test } from 'vitest'
import { emptyFolder, folderWithDatabase, qscope } from './process.ts'

const TIMEOUT = 300_000
const NOTHING = {
  deleted: { accessTokens: 0, grants: 0, deviceAuthorizations: 0, assertionIds: 0, revocations: 0, scopeUsage: 0 },
  erasedReplays: 0,
  complete: true,
}

test(
  'deletes expired rows, reports the counts, and keeps the others',
  async () => {
    const folder = await folderWithDatabase()
    const json = async (...args: string[]) => {
      const { code, stdout, stderr } = await qscope(folder, [...args, '--json'])
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
      return JSON.parse(stdout)
    }
    const { client, clientSecret } = await json('client', 'create', '--admin')
    const proof = ['--client-id', client.clientId, '--client-secret', clientSecret]
    await json('token', 'mint', ...proof)
    const live = await json('token', 'mint', ...proof)
    expect(await json('purge')).toEqual(NOTHING)

    const database = new Sqlite(join(folder, 'data', 'qscope.db'))
    database
      .prepare('update oauth_access_tokens set expires_at = ? where token_id <> ?')
      .run(Date.now() - 3_700_000, live.token.tokenId)
    database.close()
    expect(await json('purge')).toEqual({ ...NOTHING, deleted: { ...NOTHING.deleted, accessTokens: 1 } })
    expect(await json('token', 'introspect', live.token.accessToken)).toMatchObject({ active: true })

    const { code, stdout } = await qscope(folder, ['purge'])
    expect(code).toBe(0)
    expect(stdout).toMatch(
      /^WHAT +DELETED\naccess tokens +0\ngrants +0\ndevice authorizations +0\nassertion ids +0\nrevocations +0\nscope usage +0\nended more than 1h ago/,
    )
  },
  TIMEOUT,
)

test(
  'works on the database only, and reports a missing one',
  async () => {
    expect((await qscope(emptyFolder(), ['purge', '--server', '127.0.0.1:50051'])).code).toBe(2)
    const { code, stdout, stderr } = await qscope(emptyFolder(), ['purge'])
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toMatch(/^qscope: .*\n$/)
  },
  TIMEOUT,
)
