import { chmodSync, existsSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { parseConfig } from '../../src/config/config.ts'
import { readEnvironment } from '../../src/config/environment.ts'
import { ConfigError } from '../../src/config/problems.ts'
import { openBackend, openMigrations } from '../../src/stores/open.ts'
import { options, quiet } from '../stores/given.ts'

const KEYS = { QSCOPE_KEYRING_FILE: '/run/keys.json' }

function problemsOf(env: Record<string, string>): readonly string[] {
  try {
    parseConfig(readEnvironment({ ...KEYS, ...env }))
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
  return []
}

function directory(): string {
  const path = mkdtempSync(join(tmpdir(), 'qscope-paths-'))
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  return path
}

describe('the path of a database file', () => {
  test.each([
    'sqlite:/d/rel.db ',
    'sqlite:/d/rel.db\n',
    'sqlite:/d/rel.db\r\n',
    'sqlite: /d/rel.db',
    'sqlite:/d/a\nb.db',
    'sqlite::memory:\n',
  ])('is rejected if it would be trimmed: %j', (url) => {
    expect(problemsOf({ QSCOPE_DATABASE_URL: url })).toEqual([
      expect.stringMatching(
        /^QSCOPE_DATABASE_URL: should name a file without white space around its name.*but names "/,
      ),
    ])
  })

  test('may stand in a file that ends with one line end, and not with two', () => {
    const file = join(directory(), 'url')
    for (const [text, problems] of [
      ['sqlite:/d/rel.db\n', 0],
      ['sqlite:/d/rel.db\r\n', 0],
      ['sqlite:/d/rel.db\n\n', 1],
    ] as const) {
      writeFileSync(file, text)
      expect(problemsOf({ QSCOPE_DATABASE_URL_FILE: file })).toHaveLength(problems)
    }
  })

  test.each([
    ['sqlite:~/x.db', /names the file .*\/~\/x\.db: .*home directory in full/],
    ['sqlite://x.db', /names the file \/x\.db: write sqlite:x\.db .* or sqlite:\/x\.db/],
  ])('determines the file: %s', (url, problem) => {
    expect(problemsOf({ QSCOPE_DATABASE_URL: url })).toEqual([expect.stringMatching(problem)])
  })

  test('that did not exist is logged as it is understood', async () => {
    const nowhere = join(directory(), 'no', 'such', 'x.db')
    const said: string[] = []
    const log = { ...quiet, warn: (_fields: object, text: string) => void said.push(text) }
    await (await openBackend(`sqlite:${nowhere}`, { ...options, log })).close()
    expect(said).toEqual([`created the directory ${join(nowhere, '..', '..')} for the database ${nowhere}`])
  })

  test.each(['POSTGRES://u:p@db/q', 'MySQL://u:p@db/q', 'SQLITE:./x.db'])(
    'may have its scheme in capitals: %s',
    (url) => {
      expect(problemsOf({ QSCOPE_DATABASE_URL: url })).toEqual([])
    },
  )
})

describe('the files of an embedded database', () => {
  test.each([0o000, 0o022, 0o077, 0o277])('are accessible only to their owner under umask %o', async (umask) => {
    const file = join(directory(), 'data', 'qscope.db')
    const before = process.umask(umask)
    try {
      const migrations = await openMigrations(`sqlite:${file}`, quiet)
      await migrations.up()
      await migrations.close()
      const backend = await openBackend(`sqlite:${file}`, options)
      expect(await backend.check()).toEqual({ serving: true })
      for (const end of ['', '-wal', '-shm']) {
        if (existsSync(file + end)) expect([end, statSync(file + end).mode & 0o777]).toEqual([end, 0o600])
      }
      await backend.close()
    } finally {
      process.umask(before)
    }
  })

  test.each([0o000, 0o077])(
    'and their new folders are accessible only to their owner, also behind a link, under umask %o',
    async (umask) => {
      const folder = directory()
      const [file, link] = [join(folder, 'real.db'), join(folder, 'link.db')]
      symlinkSync(file, link)
      const before = process.umask(umask)
      try {
        for (const path of [link, join(folder, 'one', 'two', 'qscope.db')]) {
          const migrations = await openMigrations(`sqlite:${path}`, quiet)
          await migrations.up()
          await migrations.close()
        }
      } finally {
        process.umask(before)
      }
      const modes = ['real.db', 'one/two/qscope.db', 'one/two', 'one'].map((name) => statSync(join(folder, name)).mode)
      expect(modes.map((mode) => mode & 0o777)).toEqual([0o600, 0o600, 0o700, 0o700])
    },
  )

  test('that others may open cause a warning', async () => {
    const file = join(directory(), 'qscope.db')
    const migrations = await openMigrations(`sqlite:${file}`, quiet)
    await migrations.up()
    await migrations.close()
    const modeDiagnostic = async () => {
      const backend = await openBackend(`sqlite:${file}`, options)
      const facts = await backend.diagnostics()
      await backend.close()
      return facts.find(({ name }) => name === 'file_mode')
    }
    expect(await modeDiagnostic()).toEqual({ name: 'file_mode', value: '0600', warning: null })
    chmodSync(file, 0o666)
    expect(await modeDiagnostic()).toMatchObject({ value: '0666', warning: expect.stringContaining('chmod 600') })
  })
})
