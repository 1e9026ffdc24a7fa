import { Command, Option } from 'commander'
import type { App } from '../../app/app.ts'
import { Configuration } from '../apply/plan.ts'
import { openLog, readConfig } from '../connection/environment.ts'
import { UsageError } from '../options/options.ts'

interface ServeOptions {
  readonly ephemeral?: boolean
  readonly seed?: string
}

/** Neither the database nor the keyring is persisted. */
const IN_MEMORY = Object.freeze({ QSCOPE_DATABASE_URL: 'sqlite::memory:', QSCOPE_KEYRING_FILE: '' })

export function serveCommand(): Command {
  return new Command('serve')
    .description('run the server until SIGTERM or SIGINT')
    .option('--ephemeral', 'keep everything in memory, for tests; lost when the server ends')
    .addOption(new Option('--seed <path>', 'apply these documents before the server listens; requires --ephemeral'))
    .action(async ({ ephemeral = false, seed }: ServeOptions) => {
      if (seed !== undefined && !ephemeral) {
        throw new UsageError('--seed requires --ephemeral; change a persistent database with qscope apply')
      }
      const configuration = seed === undefined ? null : await Configuration.read([seed])
      const config = readConfig({ overrides: ephemeral ? IN_MEMORY : {} })
      const { seedApp } = await import('../apply/seed.ts')
      const seeding = configuration === null ? {} : { seed: (app: App) => seedApp(app, configuration) }
      const { serve } = await import('../../app/serve.ts')
      await serve(config, openLog(config, { quiet: false }), seeding)
      // grpc-js has no session for a peer that connected but sent nothing. Its socket would keep the process alive.
      process.exit(0)
    })
}
