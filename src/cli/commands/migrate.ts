import { existsSync } from 'node:fs'
import { Command, Option } from 'commander'
import { absentSchemaState, openConfiguredMigrations } from '../../app/database.ts'
import type { Config } from '../../config/config.ts'
import type { Migrations } from '../../stores/contract/migrations.ts'
import { AUDIT_PROTECTIONS, type AuditProtection, type SchemaState } from '../../stores/contract/schema-state.ts'
import { openLog, readConfig } from '../connection/environment.ts'
import { type ConfirmationOptions, confirm, withConfirmation } from '../input/prompt.ts'
import { type OutputOptions, withOutput } from '../options/output-options.ts'
import { Output } from '../output/output.ts'

interface Options extends OutputOptions, ConfirmationOptions {
  readonly audit?: AuditProtection
  readonly all?: boolean
}

export function migrateCommand(): Command {
  return new Command('migrate')
    .description('manage the database schema')
    .addCommand(upCommand())
    .addCommand(downCommand())
    .addCommand(statusCommand())
}

function upCommand(): Command {
  return withOutput(new Command('up'))
    .description('apply pending migrations')
    .addOption(
      new Option(
        '--audit <how>',
        'how to keep the audit log append-only; use grants if triggers cannot be created',
      ).choices(AUDIT_PROTECTIONS),
    )
    .action(async (options: Options) => {
      const { applied, firstTime, state } = await withMigrations(async (migrations) => {
        const empty = await migrations.isEmpty()
        const { migrations: names } = await migrations.up(options.audit === undefined ? {} : { audit: options.audit })
        return { applied: [...names], firstTime: empty, state: await migrations.status() }
      })
      const { auditProtection } = state
      new Output(options).answer({
        document: () => ({ applied, auditProtection }),
        text: () =>
          [
            applied.length === 0 ? nothingToDo(state) : `applied ${applied.join(', ')}`,
            ...(auditProtection === 'grants' ? [GRANTS_NOTICE] : []),
            ...(options.audit === 'grants' && auditProtection === 'triggers' ? [TRIGGERS_NOTICE] : []),
            ...(firstTime ? ['create the first client with qscope client create --admin'] : []),
          ].join('\n'),
        names: () => applied,
      })
    })
}

const GRANTS_NOTICE =
  "the audit log has no triggers: give the server's user no UPDATE, DELETE, DROP or TRIGGER on oauth_audit_log"

const TRIGGERS_NOTICE = 'the audit log already has triggers, and keeps them'

function nothingToDo({ unknown }: SchemaState): string {
  return unknown.length === 0
    ? 'up to date, nothing to do'
    : `nothing to do: the schema is newer (it has ${unknown.join(', ')}), and this version works on it`
}

function downCommand(): Command {
  return withConfirmation(withOutput(new Command('down')))
    .description('revert the last migration; data in dropped tables and columns is lost')
    .option('--all', 'revert all migrations; nothing is left')
    .action(async (options: Options) => {
      const absent = isAbsent(readConfig())
      if (!absent) await confirm(options, 'This deletes the data in the tables and columns that it drops')
      const undone = absent
        ? []
        : await withMigrations(async (migrations) => [
            ...(await migrations.down({ all: options.all ?? false })).migrations,
          ])
      new Output(options).answer({
        document: () => ({ undone }),
        text: () => (undone.length === 0 ? 'nothing to undo' : `undone ${undone.join(', ')}`),
        names: () => undone,
      })
    })
}

function statusCommand(): Command {
  return withOutput(new Command('status'))
    .description('show the state of the schema; exit code 1 if it does not fit this version')
    .action(async (options: Options) => {
      const state = await (isAbsent(readConfig())
        ? absentSchemaState()
        : withMigrations((migrations) => migrations.status()))
      const { applied, auditProtection, pending, problem, serversFrom, underWay, unknown } = state
      const fits = problem === null
      const output = new Output(options)
      output.answer({
        document: () => ({
          applied: [...applied],
          pending: [...pending],
          unknown: [...unknown],
          serversFrom,
          auditProtection,
          underWay: underWay === null ? null : { ...underWay },
          fits,
          problem,
        }),
        text: () =>
          output.pairs([
            ['applied', applied.join(', ') || '(none)'],
            ['pending', pending.join(', ') || '(none)'],
            ['unknown', unknown.join(', ')],
            ['under way', underWay === null ? '' : underWayText(underWay)],
            ['servers from', serversFrom ?? ''],
            ['audit log', auditProtection === null ? '' : `append-only by ${auditProtection}`],
            ['state', problem ?? (unknown.length > 0 ? 'newer, and fits this version' : 'fits this version')],
          ]),
        names: () => applied,
      })
      if (!fits) process.exitCode = 1
    })
}

function underWayText({ direction, migration }: NonNullable<SchemaState['underWay']>): string {
  return `${migration} (${direction}); if no other process is running it, \`qscope migrate ${direction}\` completes it`
}

/** Whether the database file does not exist yet. Showing the status or reverting does not create it. */
function isAbsent({ database: { file } }: Config): boolean {
  return file !== null && !existsSync(file)
}

async function withMigrations<T>(work: (migrations: Migrations) => Promise<T>): Promise<T> {
  const config = readConfig({ usesKeyring: false })
  const migrations = await openConfiguredMigrations(config, openLog(config, { quiet: true }))
  try {
    return await work(migrations)
  } finally {
    await migrations.close()
  }
}
