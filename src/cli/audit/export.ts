import { Command } from 'commander'
import { insistOnDatabase, openApp } from '../../app/app.ts'
import { exportAuditLog } from '../../app/audit-export.ts'
import { openKeyringFile } from '../../app/open-keyring.ts'
import { openLog, readConfig } from '../environment.ts'
import { readExportedHead } from './exported-head-file.ts'

export function auditExport(): Command {
  return new Command('export')
    .description('print the audit log of the database itself as JSON lines, last the head up to which it goes')
    .option('--after <file>', 'only what came after an earlier export, or after an exported head')
    .action(async ({ after }: { readonly after?: string }) => {
      const earlier = after === undefined ? null : await readExportedHead(after)
      const config = readConfig()
      const log = openLog(config, { quiet: true })
      insistOnDatabase(config)
      // The last line is under a MAC that is to be verified later.
      const app = await openApp(config, log, openKeyringFile(config))
      try {
        const health = await app.backend.check()
        if (!health.serving) throw new Error(health.problem)
        await exportAuditLog(app, log, earlier, process.stdout)
      } finally {
        await app.close()
      }
    })
}
