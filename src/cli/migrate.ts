import { createInterface } from 'node:readline/promises'
import { Command } from 'commander'
import { openMigrations } from '../stores/open.ts'
import type { Migrations } from '../stores/sql/migrate.ts'
import { openLog, readConfig } from './environment.ts'
import { createOutput } from './output.ts'
import { keyValues } from './table.ts'

interface Options {
  readonly json?: boolean
  readonly all?: boolean
  readonly yes?: boolean
}

export function migrateUp(): Command {
  return new Command('up')
    .description('bring the schema up to date')
    .option('--json', 'print one JSON document')
    .action(async (options: Options) => {
      const { applied, firstTime } = await withMigrations(async (migrations) => {
        const empty = await migrations.isEmpty()
        return { applied: [...(await migrations.up()).migrations], firstTime: empty }
      })
      createOutput(options.json ?? false).answer(
        () => ({ applied }),
        () =>
          [
            applied.length === 0 ? 'up to date, nothing to do' : `applied ${applied.join(', ')}`,
            ...(firstTime ? ['make the first client with: qscope client create --admin'] : []),
          ].join('\n'),
      )
    })
}

export function migrateDown(): Command {
  return new Command('down')
    .description('undo the last migration; the data in what it drops is lost')
    .option('--all', 'undo all of them: nothing is left')
    .option('--yes', 'do not ask first, on a terminal')
    .option('--json', 'print one JSON document')
    .action(async (options: Options) => {
      if (!options.yes && process.stdin.isTTY && !(await isConfirmed())) throw new Error('nothing was undone')
      const outcome = await withMigrations((migrations) => migrations.down({ all: options.all ?? false }))
      const undone = [...outcome.migrations]
      createOutput(options.json ?? false).answer(
        () => ({ undone }),
        () => (undone.length === 0 ? 'nothing to undo' : `undone ${undone.join(', ')}`),
      )
    })
}

async function isConfirmed(): Promise<boolean> {
  const lines = createInterface({ input: process.stdin, output: process.stderr })
  const answer = await lines.question('This loses the data in what it drops. Go on? [y/N] ')
  lines.close()
  return /^y(es)?$/i.test(answer.trim())
}

export function migrateStatus(): Command {
  return new Command('status')
    .description('tell where the schema stands; exit code 1 if it does not fit this version')
    .option('--json', 'print one JSON document')
    .action(async (options: Options) => {
      const { applied, pending, unknown } = await withMigrations((migrations) => migrations.status())
      const fits = pending.length === 0 && unknown.length === 0
      const output = createOutput(options.json ?? false)
      output.answer(
        () => ({ applied: [...applied], pending: [...pending], unknown: [...unknown], fits }),
        () =>
          keyValues(
            [
              ['applied', applied.join(', ') || '(none)'],
              ['pending', pending.join(', ') || '(none)'],
              ['unknown', unknown.join(', ')],
              ['state', fits ? 'fits this version' : adviceFor(unknown)],
            ],
            output.bold,
          ),
      )
      if (!fits) process.exitCode = 1
    })
}

function adviceFor(unknown: readonly string[]): string {
  return unknown.length > 0
    ? 'newer than this version: run a newer one'
    : 'older than this version: run qscope migrate up'
}

async function withMigrations<T>(work: (migrations: Migrations) => Promise<T>): Promise<T> {
  const config = readConfig()
  const migrations = await openMigrations(config.database.url, openLog(config, { quiet: true }))
  try {
    return await work(migrations)
  } finally {
    await migrations.close()
  }
}
