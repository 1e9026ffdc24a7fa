import { renameSync, rmSync } from 'node:fs'
import Libsql from 'libsql'

/** A copy of a database at an earlier time. */
export class Replica {
  readonly file: string
  readonly #primary: string
  readonly #timer: NodeJS.Timeout

  constructor(primary: string, lagMs: number) {
    this.#primary = primary
    this.file = `${primary}.replica`
    this.#copy()
    this.#timer = setInterval(() => this.#copy(), lagMs)
  }

  close(): void {
    clearInterval(this.#timer)
  }

  #copy(): void {
    const next = `${this.file}.next`
    rmSync(next, { force: true })
    const database = new Libsql(this.#primary, { timeout: 1_000 })
    database.prepare('vacuum into ?').run([next])
    database.close()
    for (const end of ['-wal', '-shm']) rmSync(this.file + end, { force: true })
    renameSync(next, this.file)
  }
}
