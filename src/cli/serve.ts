import { Command } from 'commander'
import { serve } from '../app/serve.ts'
import { openLog, readConfig } from './environment.ts'

export function serveCommand(): Command {
  return new Command('serve').description('run the server until SIGTERM or SIGINT').action(async () => {
    const config = readConfig()
    await serve(config, openLog(config, { quiet: false }))
    // A peer that connected and never spoke is none of grpc-js's sessions: its socket would keep the process.
    process.exit(0)
  })
}
