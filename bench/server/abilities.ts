import { runQScope } from './run-command.ts'

/** The features that the server under test reports. */
export interface Abilities {
  /** Whether it has the variable `QSCOPE_WORKERS`. */
  readonly workers: boolean
  readonly postgres: boolean
}

const POSTGRES_URL = 'postgres://user:password@127.0.0.1/database'

export async function abilitiesOf(entry: string): Promise<Abilities> {
  const variables = { QSCOPE_DATABASE_URL: POSTGRES_URL, QSCOPE_KEYRING_FILE: 'absent.keyring.json' }
  const [plain, postgres] = await Promise.all([
    runQScope(entry, ['config', '--json'], {}),
    runQScope(entry, ['config', '--json'], variables),
  ])
  return { workers: plain.stdout.includes('"QSCOPE_WORKERS"'), postgres: postgres.code === 0 }
}
