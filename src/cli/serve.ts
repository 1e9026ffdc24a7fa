import { Command } from 'commander'
import { serve } from '../app/serve.ts'
import { openLog, readConfig } from './environment.ts'

export function serveCommand(): Command {
  return new Command('serve').description('run the server until SIGTERM or SIGINT').action(async () => {
    const config = readConfig()
    await serve(config, openLog(config, { quiet: false }))
  })
}
