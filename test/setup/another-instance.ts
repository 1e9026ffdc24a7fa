import { onTestFinished } from 'vitest'
import type { FreshDatabase } from './fresh-database.ts'
import { startServer, type TestServer } from './server.ts'

/** Starts another instance on the same database. It stops with the test, or earlier if the test stops it. */
export async function anotherInstance(
  { keyring, first }: Pick<TestServer, 'keyring' | 'first'>,
  { url }: Pick<FreshDatabase, 'url'>,
  variables: Readonly<Record<string, string>> = {},
): Promise<{ readonly other: TestServer; readonly stop: () => Promise<void> }> {
  const other = await startServer(url, keyring, first, variables)
  let isStopped = false
  const stop = async () => {
    if (isStopped) return
    isStopped = true
    await other.stop()
  }
  onTestFinished(stop)
  return { other, stop }
}
