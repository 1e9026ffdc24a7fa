import { type AddHelpTextContext, Command, Help, type Option } from 'commander'
import manifest from '../../package.json' with { type: 'json' }
import { applyCommand, diffCommand } from './commands/apply.ts'
import { auditCommand } from './commands/audit.ts'
import { clientCommand } from './commands/client.ts'
import { codeCommand } from './commands/code.ts'
import { completionCommand } from './commands/completion.ts'
import { configCommand } from './commands/config.ts'
import { contextCommand } from './commands/context.ts'
import { decodeStatusCommand } from './commands/decode-status.ts'
import { deviceCommand } from './commands/device.ts'
import { doctorCommand } from './commands/doctor.ts'
import { explainSqlCommand } from './commands/explain-sql.ts'
import { exportCommand } from './commands/export.ts'
import { healthCommand } from './commands/health.ts'
import { importCommand } from './commands/import.ts'
import { keysCommand } from './commands/key.ts'
import { keyringCommand } from './commands/keyring.ts'
import { loginCommand, logoutCommand } from './commands/login.ts'
import { metadataCommand } from './commands/metadata.ts'
import { migrateCommand } from './commands/migrate.ts'
import { purgeCommand } from './commands/purge.ts'
import { serveCommand } from './commands/serve.ts'
import { statusCommand } from './commands/status.ts'
import { tokenCommand } from './commands/token.ts'
import { trustCommand } from './commands/trust.ts'
import { usageCommand } from './commands/usage.ts'
import { userCommand } from './commands/user.ts'
import { whyCommand } from './commands/why.ts'
import { reportFailure } from './failure.ts'
import { writeAnswer, writeNotice } from './output/terminal.ts'

/** Descriptions beside the longest options are wrapped in a terminal of 80 columns too. */
const NARROWEST_COLUMN = 20

/** Longer choices do not fit beside the longest options. The command lists them below its options. */
const LONGEST_CHOICE = 34

/** Commander's name for the options that are in no group. */
const OWN_OPTIONS = 'Options:'

/** The words that ask for help. */
const HELP: ReadonlySet<string> = new Set(['-h', '--help', 'help'])

/** `-x` or `--name`. */
const FLAG = /^--?[a-z]/i

/** Runs a command line and returns its exit code: 0 fine, 1 failed, 2 wrong usage. */
export async function runProgram(argv: readonly string[]): Promise<number> {
  try {
    const [first, ...path] = argv
    // Commander's own `help` reads one name only.
    const words = first === 'help' ? [...path, '--help'] : [...argv]
    await program().parseAsync(words, { from: 'user' })
    return Number(process.exitCode ?? 0)
  } catch (error) {
    return reportFailure(error)
  }
}

/** All commands there are. */
export function program(): Command {
  const root = new Command('qscope')
    .description('OAuth 2.0 token service over gRPC')
    .version(`qscope ${manifest.version}`)
    .commandsGroup('Connection and credentials:')
    .addCommand(contextCommand())
    .addCommand(loginCommand())
    .addCommand(logoutCommand())
    .commandsGroup('Resources:')
    .addCommand(clientCommand())
    .addCommand(tokenCommand())
    .addCommand(userCommand())
    .addCommand(trustCommand())
    .addCommand(deviceCommand())
    .addCommand(codeCommand())
    .addCommand(keysCommand())
    .addCommand(auditCommand())
    .addCommand(usageCommand())
    .addCommand(applyCommand())
    .addCommand(diffCommand())
    .addCommand(exportCommand())
    .addCommand(importCommand())
    .commandsGroup('Diagnosis:')
    .addCommand(statusCommand())
    .addCommand(healthCommand())
    .addCommand(metadataCommand())
    .addCommand(whyCommand())
    .addCommand(decodeStatusCommand())
    .commandsGroup('Server:')
    .addCommand(serveCommand())
    .addCommand(migrateCommand())
    .addCommand(keyringCommand())
    .addCommand(purgeCommand())
    .addCommand(configCommand())
    .addCommand(doctorCommand())
    .addCommand(explainSqlCommand())
    .commandsGroup('Shell:')
    .addCommand(completionCommand())
    .addHelpText('beforeAll', refuseUnknownName)
  configure(root)
  return root
}

/** Gives Commander's message the same prefix as every other problem. */
function writeUsageError(text: string, write: (text: string) => void): void {
  write(text.replace(/^error: /, 'qscope: '))
}

/** A command's own options precede those for connection and output, which are the same for all. */
function ownOptionsFirst<Item extends Command | Option>(
  unsorted: Item[],
  visible: Item[],
  groupOf: (item: Item) => string,
): Map<string, Item[]> {
  const groups = new Set([OWN_OPTIONS, ...unsorted.map(groupOf), ...visible.map(groupOf)])
  return new Map([...groups].map((group) => [group, visible.filter((item) => groupOf(item) === group)]))
}

function optionDescription(option: Option): string {
  if (option.argChoices?.some((choice) => choice.length > LONGEST_CHOICE)) return option.description
  return new Help().optionDescription(option)
}

/** Commander shows help before it looks for unknown names, so that a misspelt command would show the help of its group. */
function refuseUnknownName({ command }: AddHelpTextContext): string {
  const unknown = unknownNameOf(command)
  if (unknown === undefined) return ''
  for (const option of command.options) option.makeOptionMandatory(false)
  // Throws the usage error that the name causes without --help.
  command.parse([unknown], { from: 'user' })
  return ''
}

/** The first option or subcommand among the words after a command that it does not have. */
function unknownNameOf({ args, commands }: Command): string | undefined {
  const words = args.slice(0, [...args, '--'].indexOf('--')).filter((word) => !HELP.has(word))
  if (commands.length === 0) return words.find((word) => FLAG.test(word))
  const [first] = words
  const known = commands.flatMap((child) => [child.name(), ...child.aliases()])
  return first === undefined || known.includes(first) ? undefined : first
}

/**
 * Commander would end the process itself, with unwritten logs and its own exit codes, and would print arguments
 * unescaped.
 */
function configure(command: Command): void {
  command
    .exitOverride()
    .configureOutput({ writeOut: writeAnswer, writeErr: writeNotice, outputError: writeUsageError })
    .configureHelp({ minWidthToWrap: NARROWEST_COLUMN, groupItems: ownOptionsFirst, optionDescription })
    .showSuggestionAfterError()
    .showHelpAfterError('(add --help for usage)')
  for (const child of command.commands) configure(child)
}
