import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { openBackend, openMigrations } from '../../src/stores/open.ts'
import { run, temporaryDirectory } from '../e2e/process.ts'
import { options, quiet } from './given.ts'

/** The index and the log of a file. The last close removes them, and a process that has them open then uses the wrong ones. */
const BESIDE = ['-shm', '-wal']

test.each(['sqlite', 'libsql'])(
  'a file of %s that is opened again keeps its locks against other processes',
  async (scheme) => {
    const directory = await temporaryDirectory()
    const file = join(directory, 'qscope.db')
    const url = `${scheme}:${file}`
    const migrations = await openMigrations(url, quiet)
    await migrations.up()
    await migrations.close()
    const inodes = () => Promise.all(BESIDE.map(async (suffix) => (await stat(`${file}${suffix}`)).ino))

    const first = await openBackend(url, options)
    onTestFinished(() => first.close())
    const before = await inodes()
    const second = await openBackend(url, options)
    onTestFinished(() => second.close())

    const environment = { QSCOPE_DATABASE_URL: url, QSCOPE_KEYRING_FILE: join(directory, 'keyring.json') }
    const other = await run(directory, ['client', 'create', '--local', '--admin', '--json'], environment)
    expect(other).toMatchObject({ code: 0, stderr: '' })
    expect(await inodes()).toEqual(before)
  },
)
