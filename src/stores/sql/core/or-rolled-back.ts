import type { Writer } from './dialect.ts'

/** Does what belongs to an open transaction; if that fails, nothing of it stays. */
export async function orRolledBack<T>(writer: Pick<Writer, 'rollback'>, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    await writer.rollback()
    throw error
  }
}
