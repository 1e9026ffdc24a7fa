import { Command, InvalidArgumentError, Option } from 'commander'
import { printable } from '../../printable.ts'
import { describeChanges, describePlan, planJson } from '../apply/describe-plan.ts'
import { DiffFailure } from '../apply/diff-failure.ts'
import type { PruneMode, Workplace } from '../apply/kind.ts'
import { applyItem, Configuration, differs, type PlanItem, type Pruning } from '../apply/plan.ts'
import type { PlannedChange } from '../apply/planned-change.ts'
import {
  NO_SECRETS,
  SECRET_FORMATS,
  type SecretFormat,
  SecretsDirectory,
  type SecretsPlace,
} from '../apply/secrets-directory.ts'
import type { Calls } from '../connection/calls.ts'
import { readWithCalls, withCalls } from '../connection/session.ts'
import { type ConfirmationOptions, confirm, withConfirmation } from '../input/prompt.ts'
import { type ConnectionOptions, repeated, UsageError, withConnection } from '../options/options.ts'
import type { Output } from '../output/output.ts'
import { writeError } from '../output/terminal.ts'

const DEFAULT_OWNER = 'apply'
const OWNER = /^[A-Za-z0-9._:/@-]{1,128}$/
/** Larger shares are likely a mistake, such as a partially checked out directory. */
const MOST_PRUNED: Pruning['most'] = Object.freeze({ unit: 'percent', value: 20 })
const SECRETS_DIRECTORY = './qscope-secrets'

/** The maximum number of objects that a confirmation question names. */
const MOST_NAMED = 10

/** The exit codes of diff(1), which uses 2 for a failure. */
const SAME = 0
const DIFFERENT = 1

interface PlanOptions extends ConnectionOptions {
  readonly file: readonly string[]
  /** `DEFAULT_OWNER` if not given. */
  readonly owner?: string
  readonly adopt?: boolean
  readonly prune?: PruneMode
  readonly pruneMax?: Pruning['most']
  readonly secretsDir: string
  readonly secretFormat: SecretFormat
}

interface ApplyOptions extends PlanOptions, ConfirmationOptions {
  readonly dryRun?: true
}

export function applyCommand(): Command {
  return withConfirmation(withPlan(new Command('apply')))
    .description('register and change clients, trusted issuers and users from documents')
    .option('--dry-run', 'validate everything and print the plan; write nothing')
    .option('--secrets-dir <path>', 'directory for the secrets of new clients, one file each', SECRETS_DIRECTORY)
    .addOption(
      new Option('--secret-format <format>', 'format of the secret files').choices(SECRET_FORMATS).default('file'),
    )
    .action(async (options: ApplyOptions) => {
      const pruning = pruningOf(options)
      const configuration = await Configuration.read(options.file)
      await (options.dryRun ? readWithCalls : withCalls)(options, async (calls, output) => {
        const secrets = new SecretsDirectory(options.secretsDir, options.secretFormat)
        if (!options.dryRun) secrets.completeDeliveries()
        const items = await configuration.plan(workplaceOf(options, calls, secrets), pruning)
        if (options.dryRun) print(output, { dryRun: true, changes: changesOf(items), secrets: [] })
        else {
          await confirmDeletions(options, items)
          await bringAbout(items, secrets, output)
        }
      })
    })
}

export function diffCommand(): Command {
  return withPlan(new Command('diff'))
    .description('compare documents with what is registered: exit code 0 same, 1 different, 2 failed')
    .action(async (options: Omit<PlanOptions, 'secretsDir' | 'secretFormat'>) => {
      try {
        const pruning = pruningOf(options)
        const configuration = await Configuration.read(options.file)
        await readWithCalls(options, async (calls, output) => {
          // The owner of an object is not a difference; it is set when the documents are applied.
          const workplace = { ...workplaceOf(options, calls, NO_SECRETS), adopt: true }
          const items = await configuration.plan(workplace, pruning)
          print(output, { dryRun: true, changes: changesOf(items), secrets: [] })
          process.exitCode = differs(items) ? DIFFERENT : SAME
        })
      } catch (error) {
        throw new DiffFailure(error)
      }
    })
}

function withPlan(command: Command): Command {
  return withConnection(command)
    .addOption(repeated('-f, --file <path>', 'a file, a directory, or - for standard input').makeOptionMandatory())
    .addOption(
      new Option(
        '--owner <name>',
        `owner of the objects in these documents (default ${DEFAULT_OWNER}; required with --prune)`,
      ).argParser(owner),
    )
    .option('--adopt', 'take over objects of another owner')
    .addOption(
      new Option('--prune [mode]', 'disable, or delete, objects of the owner that have no document any more')
        .choices(['disable', 'delete'])
        .preset('disable'),
    )
    .addOption(
      new Option('--prune-max <n>', 'limit for pruning, as a number or a percentage (default 20%)').argParser(share),
    )
}

function owner(text: string): string {
  if (!OWNER.test(text)) throw new InvalidArgumentError('It should be 1 to 128 of A-Z a-z 0-9 . _ : / @ -.')
  return text
}

function share(text: string): Pruning['most'] {
  const [, digits = '', percent] = /^(\d{1,9})(%?)$/.exec(text) ?? []
  if (digits === '') throw new InvalidArgumentError('It should be a number such as 3, or a percentage such as 50%.')
  return { unit: percent === '%' ? 'percent' : 'objects', value: Number(digits) }
}

function workplaceOf(
  { owner: name = DEFAULT_OWNER, adopt = false }: Pick<PlanOptions, 'owner' | 'adopt'>,
  calls: Calls,
  secrets: SecretsPlace,
): Workplace {
  return { calls, owner: name, adopt, secrets }
}

/**
 * Two sets of documents with the same mark would delete each other's objects. Pruning therefore requires an explicit
 * mark.
 */
function pruningOf({
  owner: name,
  prune,
  pruneMax = MOST_PRUNED,
}: Pick<PlanOptions, 'owner' | 'prune' | 'pruneMax'>): Pruning | null {
  if (prune === undefined) return null
  if (name === undefined)
    throw new UsageError(
      '--prune requires --owner: it disables or deletes every object of that owner that these documents lack, so use an owner that no other documents use',
    )
  return { mode: prune, most: pruneMax }
}

function changesOf(items: readonly PlanItem[]): readonly PlannedChange[] {
  return items.map(({ change }) => change)
}

/** Asks before anything is written, and only if objects will be deleted. */
async function confirmDeletions(options: ConfirmationOptions, items: readonly PlanItem[]): Promise<void> {
  const deleted = changesOf(items).filter(({ action }) => action === 'delete')
  if (deleted.length === 0) return
  const named = deleted.slice(0, MOST_NAMED).map(({ kind, name }) => `${kind} ${printable(name)}`)
  const more = deleted.length - named.length
  const all = more === 0 ? named.join(', ') : `${named.join(', ')} and ${more} more`
  await confirm(
    options,
    `This deletes for good, with their tokens and secrets, the objects that no document describes: ${all}`,
  )
}

/** Applies the changes in sequence and stops at the first failure. A rerun continues there. */
async function bringAbout(items: readonly PlanItem[], secrets: SecretsDirectory, output: Output): Promise<void> {
  if (changesOf(items).some(({ drawsSecret }) => drawsSecret)) secrets.open()
  const done: PlannedChange[] = []
  try {
    for (const item of items) done.push(await applyItem(item))
  } catch (error) {
    const notDone = changesOf(items.slice(done.length)).filter(makesChange)
    const [failing] = notDone
    print(output, { dryRun: false, changes: done, secrets: secrets.delivered, notDone })
    writeError(
      `${failing?.kind} ${printable(failing?.name ?? '')} failed. Changes made: ${done.filter(makesChange).length}, not made: ${notDone.length}. Fix the cause and run the command again`,
    )
    throw error
  } finally {
    secrets.close()
  }
  print(output, { dryRun: false, changes: done, secrets: secrets.delivered })
}

function makesChange({ action }: PlannedChange): boolean {
  return action !== 'none'
}

interface Report {
  readonly dryRun: boolean
  readonly changes: readonly PlannedChange[]
  /** The files with new secrets. */
  readonly secrets: readonly string[]
  /** After a failure: the change that failed, and those after it. */
  readonly notDone?: readonly PlannedChange[]
}

function print(output: Output, { dryRun, changes, secrets, notDone = [] }: Report): void {
  output.answer({
    document: () => ({
      dryRun,
      changes: planJson(changes),
      secretFiles: [...secrets],
      ...(notDone.length > 0 && { notDone: planJson(notDone) }),
    }),
    text: () =>
      [
        ...describePlan(changes),
        ...secrets.map((file) => `secret written to ${file}`),
        ...(notDone.length > 0 ? ['not done:', ...describeChanges(notDone)] : []),
      ]
        .map((line) => output.wrapped(line, '      '))
        .join('\n'),
    names: () => changes.filter(makesChange).map(({ kind, name }) => `${kind}/${name}`),
  })
}
