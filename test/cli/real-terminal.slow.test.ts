import { spawn } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { COMPILE_CACHE } from '../setup/compile-cache.ts'
import { databaseKinds } from '../setup/fresh-database.ts'
import { startServer, type TestServer } from '../setup/server.ts'
import { emptyFolder, MAIN, qscope } from './process.ts'

const COLUMNS = 60
/** The start of a control sequence for colours. */
const COLOUR = '\u001b['

describe('on a terminal', () => {
  const folder = emptyFolder()
  let server: TestServer
  let asAdmin: readonly string[] = []

  beforeAll(async () => {
    const [sqlite] = databaseKinds
    const database = await sqlite?.create()
    server = await startServer(database?.url ?? '')
    asAdmin = ['--client-id', server.admin.clientId, '--client-secret', server.admin.clientSecret]
    const { code } = await qscope(folder, ['context', 'set', 'dev', '--server', server.address, ...asAdmin])
    expect(code).toBe(0)
  })
  afterAll(() => server.stop())

  /** Runs the command line on a new terminal, and types each answer after its question. */
  async function typed(
    args: readonly string[],
    { answers = {}, env = {} }: { answers?: Record<string, string>; env?: Record<string, string> } = {},
  ) {
    const command = [process.execPath, MAIN, ...args].map((word) => `'${word}'`).join(' ')
    const child = spawn('script', ['-qec', `stty cols ${COLUMNS} rows 40; ${command}`, '/dev/null'], {
      cwd: folder,
      env: {
        PATH: process.env['PATH'] ?? '',
        XDG_CONFIG_HOME: join(folder, '.config'),
        TERM: 'xterm',
        ...COMPILE_CACHE,
        ...env,
      },
    })
    let shown = ''
    const open = new Map(Object.entries(answers))
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      shown += text
      for (const [question, answer] of open) {
        if (!shown.includes(question)) continue
        open.delete(question)
        child.stdin.write(`${answer}\r`)
      }
    })
    const code = await new Promise<number | null>((ended) => child.on('close', ended))
    return { code, shown, lines: stripVTControlCharacters(shown).split(/\r?\n/) }
  }

  test('a locale without UTF-8 gets ASCII instead of other characters', async () => {
    const { code, shown } = await typed(['client', 'list'], { env: { LC_ALL: 'C' } })
    expect(code).toBe(0)
    expect(shown).toContain('~')
    expect(shown).toMatch(/^[\0-\x7f]*$/)
    expect((await typed(['client', 'list'], { env: { LC_ALL: 'C.UTF-8' } })).shown).toContain('…')
  })

  test('tables fit, and states have colours', async () => {
    const { code, shown, lines } = await typed(['client', 'list'])
    expect(code).toBe(0)
    expect(lines.filter((line) => line.length > COLUMNS)).toEqual([])
    expect(lines[0]).toMatch(/^CLIENT ID {2}/)
    expect(shown).toContain('\u001b[32myes\u001b[0m')
  })

  test('continued lines of values are aligned', async () => {
    const { lines } = await typed(['client', 'get', server.admin.clientId])
    const scopes = lines.findIndex((line) => line.startsWith('scopes'))
    expect(lines[scopes + 1]).toMatch(/^ {10,}qscope:/)
    expect(lines.filter((line) => line.length > COLUMNS)).toEqual([])
  })

  test.each([{ NO_COLOR: '1' }, { TERM: 'dumb' }])('%j disables colours', async (env) => {
    const { shown } = await typed(['client', 'list'], { env })
    expect(shown).toContain('CLIENT ID')
    expect(shown).not.toContain(COLOUR)
  })

  test('-o wide is not truncated, and documents have no colours', async () => {
    const [wide, json] = [await typed(['client', 'list', '-o', 'wide']), await typed(['client', 'list', '-o', 'json'])]
    expect(wide.shown).not.toContain('…')
    expect(wide.lines[0]).toContain('TYPE')
    expect(json.shown).not.toContain(COLOUR)
    expect(JSON.parse(json.shown)).toHaveProperty('clients')
  })

  test('a secret is requested, and not shown', async () => {
    const args = [
      'context',
      'set',
      'asked',
      '--server',
      server.address,
      '--client-id',
      'orders',
      '--client-secret',
      '-',
    ]
    const { code, shown } = await typed(args, { answers: { 'client secret: ': 'TYPED-SECRET' } })
    expect(code).toBe(0)
    expect(shown).not.toContain('TYPED-SECRET')
    const kept = readFileSync(join(folder, '.config', 'qscope', 'contexts', 'asked.json'), 'utf8')
    expect(JSON.parse(kept)).toMatchObject({ clientId: 'orders', clientSecret: 'TYPED-SECRET' })
  })

  test('Ctrl-C at a question for a secret ends the command as an interrupted one, on a new line', async () => {
    const args = ['context', 'set', 'left', '--server', server.address, '--client-id', 'orders', '--client-secret', '-']
    const { code, lines } = await typed(args, { answers: { 'client secret: ': '\u0003' } })
    expect({ code, lines }).toEqual({ code: 130, lines: ['client secret: ', ''] })
  })

  test('irreversible commands ask for confirmation', async () => {
    const { clientId } = await server.registerClient({ clientId: server.unique('doomed-') })
    const refused = await typed(['client', 'delete', clientId], { answers: { 'Continue? [y/N] ': 'n' } })
    expect(refused).toMatchObject({ code: 1, shown: expect.stringContaining('nothing was changed') })
    const agreed = await typed(['client', 'delete', clientId], { answers: { 'Continue? [y/N] ': 'y' } })
    expect(agreed).toMatchObject({ code: 0, shown: expect.stringContaining(`deleted ${clientId}`) })
  })

  test('a message fits, is not broken within words, and its further lines are indented', async () => {
    const { code, lines } = await typed(['client', 'create', '--id', '!', '--grant', 'client_credentials'])
    expect(code).toBe(1)
    expect(lines.filter((line) => line.length > COLUMNS)).toEqual([])
    const [first = '', ...rest] = lines.filter((line) => line !== '')
    expect(first).toMatch(/^qscope: OAUTH_INVALID_REQUEST: /)
    expect(rest.length).toBeGreaterThan(2)
    expect(rest.filter((line) => !/^ {2}\S/.test(line))).toEqual([])
    const joined = [first, ...rest.map((line) => line.trimStart())].join(' ')
    expect(joined).toMatch(/client_id must consist of A-Z a-z 0-9 \. _ -\. Correct the request\. \(ray id [\w-]{36}\)$/)
  })

  test('a plan fits, and is not broken within words', async () => {
    const { clientId } = await server.registerClient({ clientId: server.unique('planned-'), scopes: ['orders.read'] })
    const scopes = ['orders.read', 'orders.write', 'orders.cancel', 'orders.refund']
    const spec = { clientId, type: 'CLIENT_TYPE_CONFIDENTIAL', grantTypes: ['GRANT_TYPE_CLIENT_CREDENTIALS'], scopes }
    writeFileSync(join(folder, 'plan.json'), JSON.stringify({ kind: 'Client', spec }))
    const { code, lines } = await typed(['diff', '-f', 'plan.json', '--adopt'])
    expect(code).toBe(1)
    expect(lines.filter((line) => line.length > COLUMNS)).toEqual([])
    for (const scope of scopes)
      expect(
        lines.some((line) => line.includes(`"${scope}"`)),
        scope,
      ).toBe(true)
  })

  test('a login reports that the client of the context cannot log in, and which one it needs', async () => {
    const { code, lines } = await typed(['login'])
    expect(code).toBe(1)
    expect(lines.map((line) => line.trimStart()).join(' ')).toMatch(
      /needs a client with the grant device_code: name one by --client-id/,
    )
  })
})
