import { type Config, parseConfig } from '../../config/config.ts'
import { readEnvironment } from '../../config/environment.ts'
import { createLog, type Log } from '../../log/create-log.ts'

/** The configuration of this process; throws `ConfigError`. `usesKeyring`: whether a database on a server needs one. */
export function readConfig({ usesKeyring = true }: { readonly usesKeyring?: boolean } = {}): Config {
  return parseConfig(readEnvironment(process.env), { terminal: process.stderr.isTTY === true, usesKeyring })
}

/** The process's log. A quiet one, for commands that answer a person, leaves out what is not a warning unless asked. */
export function openLog(config: Config, { quiet }: { readonly quiet: boolean }): Log {
  const chosen = config.settings.some(({ name, source }) => name === 'QSCOPE_LOG_LEVEL' && source !== 'default')
  const log = createLog({ ...config.log, level: quiet && !chosen ? 'warn' : config.log.level })
  for (const warning of config.warnings) log.warn({}, warning)
  return log
}
