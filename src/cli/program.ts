import { Command } from 'commander'
import manifest from '../../package.json' with { type: 'json' }
import { applyCommand, diffCommand } from './commands/apply.ts'
import { auditCommand } from './commands/audit.ts'
import { clientCommand } from './commands/client.ts'
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
import { migrateCommand } from './commands/migrate.ts'
import { purgeCommand } from './commands/purge.ts'
import { serveCommand } from './commands/serve.ts'
import { statusCommand } from './commands/status.ts'
import { tokenCommand } from './commands/token.ts'
import { usageCommand } from './commands/usage.ts'
import { userCommand } from './commands/user.ts'
import { whyCommand } from './commands/why.ts'
import { reportFailure } from './failure.ts'
import { writeAnswer, writeNotice } from './output/terminal.ts'

/** Descriptions beside the longest options are wrapped in a terminal of 80 columns too. */
const NARROWEST_COLUMN = 20

/** Runs a command line and returns its exit code: 0 fine, 1 failed, 2 wrong usage. */
export async function runProgram(argv: readonly string[]): Promise<number> {
  try {
    await program().parseAsync([...argv], { from: 'user' })
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
    .addCommand(deviceCommand())
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
  configure(root)
  return root
}

/** Commander would end the process itself, with logs unwritten and its own exit codes, and quote arguments as they are. */
function configure(command: Command): void {
  command
    .exitOverride()
    .configureOutput({ writeOut: writeAnswer, writeErr: writeNotice })
    .configureHelp({ minWidthToWrap: NARROWEST_COLUMN })
    .showSuggestionAfterError()
    .showHelpAfterError('(add --help for usage)')
  for (const child of command.commands) configure(child)
}
