import { type Config, parseConfig } from '../../config/config.ts'
import { readEnvironment } from '../../config/environment.ts'
import { createLog, type Log } from '../../log/create-log.ts'

interface ConfigOptions {
  /** Whether a database on a server needs a keyring. */
  readonly usesKeyring?: boolean
  /** Variables that override the environment. Empty: unset. */
  readonly overrides?: Readonly<Record<string, string>>
}

/** The configuration of this process; throws `ConfigError`. */
export function readConfig({ usesKeyring = true, overrides = {} }: ConfigOptions = {}): Config {
  return parseConfig(readEnvironment({ ...process.env, ...overrides }), {
    terminal: process.stderr.isTTY === true,
    usesKeyring,
  })
}

/**
 * The process's log. A quiet log, for commands with output for people, omits entries below warning unless configured
 * otherwise.
 */
export function openLog(config: Config, { quiet }: { readonly quiet: boolean }): Log {
  const chosen = config.settings.some(({ name, source }) => name === 'QSCOPE_LOG_LEVEL' && source !== 'default')
  const log = createLog({ ...config.log, level: quiet && !chosen ? 'warn' : config.log.level })
  for (const warning of config.warnings) log.warn({}, warning)
  return log
}
