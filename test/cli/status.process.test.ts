import { expect, test } from 'vitest'
import { sqliteFiles } from '../setup/fresh-database.ts'
import { startServer } from '../setup/server.ts'
import { emptyFolder, folderWithDatabase, qscope } from './process.ts'

const TIMEOUT = 300_000

test(
  "qscope status shows a server's state, calls and refusals",
  async () => {
    const database = await sqliteFiles.createMigrated()
    const server = await startServer(database.url)
    try {
      const as = ['--server', server.address, '--token', server.admin.token]
      const text = await qscope(emptyFolder(), ['status', ...as])
      expect({ code: text.code, stderr: text.stderr }).toEqual({ code: 0, stderr: '' })
      expect(text.stdout).toMatch(/^version {3}\d+\.\d+\.\d+\nserving {3}yes\nsince {5}\d{4}-/)
      expect(text.stdout).toMatch(/^METHOD +CALLS +PER SECOND, LAST /m)
      expect(text.stdout).toMatch(/^qscope\.v1\.TokenService\/MintToken +1 +\d+\.\d\d$/m)
      expect(
        (await qscope(emptyFolder(), ['status', '--server', server.address, '--token', server.unknownToken()])).code,
      ).toBe(1)
      const json = JSON.parse((await qscope(emptyFolder(), ['status', ...as, '--json'])).stdout)
      expect(json).toMatchObject({
        serving: true,
        refusals: [{ reason: 'ERROR_REASON_OAUTH_INVALID_TOKEN', count: '1' }],
      })
    } finally {
      await server.stop()
      await database.drop()
    }
  },
  TIMEOUT,
)

test(
  'qscope status without a server examines the configured database',
  async () => {
    const { code, stdout, stderr } = await qscope(await folderWithDatabase(), ['status', '--json'])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    const { serving, findings } = JSON.parse(stdout)
    expect(serving).toBe(true)
    expect(findings).toContainEqual({
      check: 'health',
      state: 'FINDING_STATE_OK',
      finding: 'sqlite reads and writes',
      advice: '',
    })
  },
  TIMEOUT,
)
