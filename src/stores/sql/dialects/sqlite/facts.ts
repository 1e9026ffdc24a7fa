import type { DatabaseFact } from '../../../contract.ts'
import type { Execute } from '../../dialect.ts'
import { fact, factRow } from '../../fact-row.ts'

const SYNCHRONOUS = Object.freeze(['OFF', 'NORMAL', 'FULL', 'EXTRA'])

export async function sqliteFacts(execute: Execute): Promise<readonly DatabaseFact[]> {
  const ask = async (question: string, column: string) => (await factRow(execute, question)).get(column) ?? ''
  const version = await ask('select sqlite_version() as version', 'version')
  const file = await ask("select file from pragma_database_list where name = 'main'", 'file')
  const journal = await ask('pragma journal_mode', 'journal_mode')
  const level = SYNCHRONOUS[Number(await ask('pragma synchronous', 'synchronous'))] ?? 'unknown'
  const foreignKeys = (await ask('pragma foreign_keys', 'foreign_keys')) === '1'
  return [
    fact('version', `SQLite ${version}`),
    fact('file', file),
    fact(
      'journal_mode',
      journal,
      journal === 'wal' ? null : 'readers and the writer wait for each other; is the file system fit for WAL?',
    ),
    fact(
      'synchronous',
      level,
      level === 'FULL' || level === 'EXTRA' ? null : 'a power failure can lose answered calls: it should be FULL',
    ),
    fact('foreign_keys', foreignKeys ? 'on' : 'off', foreignKeys ? null : 'references are not checked'),
  ]
}
