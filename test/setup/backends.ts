import type { ChannelCredentials } from '@grpc/grpc-js'
import { afterAll, beforeAll, describe } from 'vitest'
import { databaseKinds, type FreshDatabase } from './fresh-database.ts'
import { startServer, type TestServer } from './server.ts'

export interface ServerOptions {
  /** Additional environment variables. */
  readonly variables?: Readonly<Record<string, string>>
  /** The credentials of the channel of `server.call`. Default: plaintext. */
  readonly channel?: ChannelCredentials
}

/**
 * Runs a suite with a real server on every backend. The tests of a suite and backend share a server and its clock. Each
 * registers its own clients. The database can be queried directly.
 */
export function onEveryBackend(
  name: string,
  suite: (server: TestServer, database: FreshDatabase) => void,
  { variables, channel }: ServerOptions = {},
): void {
  for (const kind of databaseKinds) {
    describe.skipIf(!kind.available)(`${name} on ${kind.name}`, () => {
      let database: FreshDatabase | null = null
      let running: TestServer | null = null
      beforeAll(async () => {
        database = await kind.createMigrated()
        running = await startServer(database.url, undefined, undefined, variables, channel)
      })
      afterAll(async () => {
        await running?.stop()
        await database?.drop()
      })
      suite(
        later(() => running),
        later(() => database),
      )
    })
  }
}

/** A suite is described before its server starts. Its tests run later. */
function later<T extends object>(find: () => T | null): T {
  return new Proxy({} as T, {
    get: (_target, property) => {
      const running = find()
      if (running === null) throw new Error('the server is not running yet')
      return Reflect.get(running, property)
    },
  })
}
