import { Command } from 'commander'
import { auditExport } from './audit/export.ts'
import { auditHead } from './audit/head.ts'
import { auditList } from './audit/list.ts'
import { auditVerify } from './audit/verify.ts'
import { clientCreate } from './client/create.ts'
import { clientDelete } from './client/delete.ts'
import { clientDisable } from './client/disable.ts'
import { clientEnable } from './client/enable.ts'
import { clientGet } from './client/get.ts'
import { clientList } from './client/list.ts'
import { clientRotateSecret } from './client/rotate-secret.ts'
import { configCommand } from './config.ts'
import { decodeStatus } from './decode-status.ts'
import { doctor } from './doctor.ts'
import { reportFailure } from './failure.ts'
import { health } from './health.ts'
import { keyringActivate } from './keyring/activate.ts'
import { keyringCreate } from './keyring/create.ts'
import { keyringRemove } from './keyring/remove.ts'
import { keyringRotate } from './keyring/rotate.ts'
import { keyringStatus } from './keyring/status.ts'
import { keysActivate } from './keys/activate.ts'
import { keysList } from './keys/list.ts'
import { keysPrepare } from './keys/prepare.ts'
import { keysRetire } from './keys/retire.ts'
import { keysRevoke } from './keys/revoke.ts'
import { migrateDown, migrateStatus, migrateUp } from './migrate.ts'
import { purge } from './purge.ts'
import { serveCommand } from './serve.ts'
import { writeAnswer, writeNotice } from './terminal.ts'
import { tokenIntrospect } from './token/introspect.ts'
import { tokenList } from './token/list.ts'
import { tokenMint } from './token/mint.ts'
import { tokenRevoke } from './token/revoke.ts'
import { tokenVerify } from './token/verify.ts'

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
  const root = new Command('qscope').description('OAuth 2.0 token service over gRPC')
  root.addCommand(serveCommand())
  root.addCommand(group('migrate', 'the database schema', [migrateUp(), migrateDown(), migrateStatus()]))
  root.addCommand(
    group('client', 'OAuth clients', [
      clientCreate(),
      clientList(),
      clientGet(),
      clientDisable(),
      clientEnable(),
      clientRotateSecret(),
      clientDelete(),
    ]),
  )
  root.addCommand(group('token', 'tokens', [tokenMint(), tokenIntrospect(), tokenVerify(), tokenRevoke(), tokenList()]))
  root.addCommand(
    group('keys', 'the keys that sign JWT access tokens', [
      keysList(),
      keysPrepare(),
      keysActivate(),
      keysRetire(),
      keysRevoke(),
    ]),
  )
  root.addCommand(group('audit', 'the audit log', [auditList(), auditVerify(), auditHead(), auditExport()]))
  root.addCommand(
    group('keyring', 'the file of keys that lies outside the database', [
      keyringCreate(),
      keyringStatus(),
      keyringRotate(),
      keyringActivate(),
      keyringRemove(),
    ]),
  )
  root.addCommand(purge())
  root.addCommand(configCommand())
  root.addCommand(decodeStatus())
  root.addCommand(doctor())
  root.addCommand(health())
  prepare(root)
  return root
}

function group(name: string, description: string, commands: readonly Command[]): Command {
  const parent = new Command(name).description(description)
  for (const command of commands) parent.addCommand(command)
  return parent
}

/** Commander would end the process itself, with logs unwritten and its own exit codes, and quote arguments as they are. */
function prepare(command: Command): void {
  command
    .exitOverride()
    .configureOutput({ writeOut: writeAnswer, writeErr: writeNotice })
    .configureHelp({ minWidthToWrap: NARROWEST_COLUMN })
    .showSuggestionAfterError()
    .showHelpAfterError('(add --help for usage)')
  for (const child of command.commands) prepare(child)
}
