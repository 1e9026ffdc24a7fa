import type { ServerHost } from '../../../domain/server-url.ts'
import { DatabaseError } from '../core/database-error.ts'

/**
 * The hosts of one database, tried in order. All connections prefer the one that
 * was opened last, so that they meet on one node and leave it together: what is
 * read comes from where it was written.
 */
export class Hosts {
  readonly #hosts: readonly ServerHost[]
  #preferred = 0

  constructor(hosts: readonly ServerHost[]) {
    this.#hosts = hosts
  }

  /** Whether connections to this host may be kept. */
  isPreferred(host: ServerHost): boolean {
    return this.#hosts[this.#preferred] === host
  }

  /** Opens on the first host that can be used; throws why none can. */
  async open<T>(openOn: (host: ServerHost) => Promise<T>): Promise<{ readonly host: ServerHost; readonly opened: T }> {
    const failures: { readonly host: ServerHost; readonly failure: DatabaseError }[] = []
    const first = this.#preferred
    for (let step = 0; step < this.#hosts.length; step += 1) {
      const index = (first + step) % this.#hosts.length
      const host = this.#hosts[index]
      if (host === undefined) break
      try {
        const opened = await openOn(host)
        this.#preferred = index
        return { host, opened }
      } catch (error) {
        if (!(error instanceof DatabaseError)) throw error
        failures.push({ host, failure: unreachable(error) })
      }
    }
    const [only, ...others] = failures
    if (only !== undefined && others.length === 0) throw only.failure
    const reasons = failures.map(({ host, failure }) => `${host.host}: ${failure.message}`).join('; ')
    throw new DatabaseError('unavailable', `no host of the database can be used (${reasons})`, only?.failure)
  }
}

/** What stands in the way of a connection, such as a certificate, says nothing of the data behind it. */
function unreachable(failure: DatabaseError): DatabaseError {
  if (failure.kind !== 'broken') return failure
  return new DatabaseError('unavailable', `the database cannot be connected to: ${failure.message}`, failure)
}
