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

  /** Opens on the first host that can be used; throws what each one said. */
  async open<T>(openOn: (host: ServerHost) => Promise<T>): Promise<{ readonly host: ServerHost; readonly opened: T }> {
    const troubles: { readonly host: ServerHost; readonly trouble: DatabaseError }[] = []
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
        troubles.push({ host, trouble: unreachable(error) })
      }
    }
    const [only, ...others] = troubles
    if (only !== undefined && others.length === 0) throw only.trouble
    const said = troubles.map(({ host, trouble }) => `${host.host}: ${trouble.message}`).join('; ')
    throw new DatabaseError('unavailable', `no host of the database can be used (${said})`, only?.trouble)
  }
}

/** What stands in the way of a connection, such as a certificate, says nothing of the data behind it. */
function unreachable(trouble: DatabaseError): DatabaseError {
  if (trouble.kind !== 'broken') return trouble
  return new DatabaseError('unavailable', `the database cannot be connected to: ${trouble.message}`, trouble)
}
