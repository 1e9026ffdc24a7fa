import type { TestProject } from 'vitest/node'
import { askedDatabases, DATABASES } from './database-names.ts'

/** Global set-up. At the end of a run, prints one line with the suites that it left out and the command that runs them. */
export function setup({ vitest }: TestProject): () => void {
  const running = vitest.projects.map(({ name }) => name)
  const leftOut = [
    running.includes('database') && askedDatabases().includes('sqlite') ? [] : ['SQLite (npm test)'],
    running.includes('database') && askedDatabases().length === DATABASES.length
      ? []
      : ['database servers (npm run test:databases)'],
    running.includes('slow') ? [] : ['slow suites (npm run test:all)', 'full counts (npm run test:long)'],
  ].flat()
  return () => {
    if (leftOut.length > 0) console.log(`Left out: ${leftOut.join(', ')}.`)
  }
}
