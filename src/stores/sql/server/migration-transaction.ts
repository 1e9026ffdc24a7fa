import type { RawConnection } from './driver.ts'

/** Runs a migration's work in a transaction of its connection; one that is lost was rolled back by the server. */
export function migrationTransaction(connection: RawConnection) {
  return async (work: () => Promise<void>): Promise<void> => {
    await connection.say('begin')
    try {
      await work()
      await connection.say('commit')
    } catch (error) {
      if (connection.usable) await connection.say('rollback')
      throw error
    }
  }
}
