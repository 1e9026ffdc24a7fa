import { describe, expect, test } from 'vitest'
import { emptyFolder, folderWithDatabase, qscope } from './process.ts'

const TIMEOUT = 60_000
const IN_MEMORY = { QSCOPE_DATABASE_URL: 'sqlite::memory:' }

describe('qscope explain-sql', { timeout: TIMEOUT }, () => {
  test('lists the flows if none is given', async () => {
    const { code, stdout, stderr } = await qscope(emptyFolder(), ['explain-sql'])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout.split('\n')).toEqual(
      expect.arrayContaining(['clientCredentials', 'introspectTokens', 'refreshToken']),
    )
    const json = await qscope(emptyFolder(), ['explain-sql', '--json'])
    expect(JSON.parse(json.stdout).flows).toEqual(stdout.trim().split('\n'))
  })

  test('rejects an unknown flow, and lists the known ones', async () => {
    const { code, stdout, stderr } = await qscope(emptyFolder(), ['explain-sql', 'refresh'], IN_MEMORY)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toMatch(/^qscope: the flow refresh does not exist; the flows are .*refreshToken.*\n$/)
  })

  test('reports a missing database, and creates none', async () => {
    const folder = emptyFolder()
    const { code, stderr } = await qscope(folder, ['explain-sql', 'refreshToken'])
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: expect.stringMatching(/^qscope: there is no database at .*\n$/),
    })
  })

  test('prints the statements in order of execution, each with its plan, and changes nothing', async () => {
    const folder = await folderWithDatabase()
    const { code, stdout, stderr } = await qscope(folder, ['explain-sql', 'refreshToken'])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(/^refreshToken\n {2}select .* from "oauth_refresh_tokens" .*\n {4}SEARCH /)
    expect(stdout).toContain('\nrefreshToken: a refresh is repeated\n')
    expect(stdout).not.toMatch(/q[a-z]{2}_[0-9A-Za-z]{20}/)
    const { stdout: clients } = await qscope(folder, ['client', 'list', '--json'])
    expect(JSON.parse(clients).clients).toEqual([])
  })

  test('prints the same as JSON', async () => {
    const { code, stdout } = await qscope(emptyFolder(), ['explain-sql', 'clientCredentials', '--json'], IN_MEMORY)
    expect(code).toBe(0)
    const { flow, calls } = JSON.parse(stdout)
    expect(flow).toBe('clientCredentials')
    expect(calls[0]).toMatchObject({ variant: null })
    const texts = calls[0].statements.map(({ sql }: { readonly sql: string }) => sql)
    expect(texts).toContainEqual(expect.stringMatching(/^insert into "oauth_access_tokens" .*values \(\?/))
    expect(calls[0].statements[0]).toEqual({
      sql: expect.stringMatching(/^select /),
      plan: expect.arrayContaining([expect.stringMatching(/SEARCH/)]),
      scans: [],
    })
  })
})
