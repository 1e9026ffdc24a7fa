import type { Config } from '../../config/config.ts'
import { backgroundContext, type Logger } from '../../context.ts'
import type { Client } from '../../domain/client.ts'
import type { ClientId } from '../../domain/ids.ts'
import type { Backend } from '../../stores/contract/backend.ts'
import { keyReaderOf } from '../trust/issuer-problems.ts'
import type { KeyReader } from '../trust/key-reader.ts'
import { holderOfClientKeys } from '../trust/key-sets.ts'
import { type Finding, ok, warning } from './finding.ts'

const CHECK = 'client keys'
/** The clients that one query reads. */
const PAGE = 500

/** The limits of an examination, for a server with very many clients or with hosts that do not answer. */
export interface ClientKeyLimits {
  /** The number of clients whose keys are read. */
  readonly clients: number
  /** The number of key sets that are read at the same time. */
  readonly together: number
  /** No read begins later than this, in milliseconds. One that has begun ends by its own time limit. */
  readonly patienceMs: number
}

const LIMITS: ClientKeyLimits = Object.freeze({ clients: 1_000, together: 16, patienceMs: 30_000 })

type Publisher = Pick<Client, 'clientId'> & { readonly jwksUri: string }

/**
 * Whether the keys of each enabled client with a `jwks_uri` can be used. They are read as a server reads them. The last
 * finding names the clients that the limits leave out.
 */
export async function clientKeyFindings(
  backend: Pick<Backend, 'reads'>,
  config: Pick<Config, 'trustPrivateHosts'>,
  log: Logger,
  { clients: most, together, patienceMs }: ClientKeyLimits = LIMITS,
): Promise<readonly Finding[]> {
  const reader = keyReaderOf(config)
  const until = performance.now() + patienceMs
  const findings: Finding[] = []
  let waiting: Publisher[] = []
  let last: ClientId | null = null
  const readWaiting = async (): Promise<void> => {
    findings.push(...(await Promise.all(waiting.map((client) => findingOf(client, reader)))))
    waiting = []
  }
  for await (const { clientId, jwksUri } of enabledClients(backend, log)) {
    const isFull = jwksUri !== null && findings.length + waiting.length >= most
    if (isFull || performance.now() > until) {
      await readWaiting()
      return [...findings, leftOut(last, most, patienceMs)]
    }
    last = clientId
    if (jwksUri !== null) waiting.push({ clientId, jwksUri })
    if (waiting.length >= together) await readWaiting()
  }
  await readWaiting()
  return findings
}

/** In ascending byte order of their ids. */
async function* enabledClients(backend: Pick<Backend, 'reads'>, log: Logger): AsyncGenerator<Client> {
  const ctx = backgroundContext('doctor', log)
  const enabled = { enabled: true, type: null, idPrefix: null, owner: null }
  let after: ClientId | null = null
  for (;;) {
    const page: readonly Client[] = await backend.reads.clients.page(ctx, enabled, { after, limit: PAGE })
    yield* page
    after = page.at(-1)?.clientId ?? null
    if (page.length < PAGE) return
  }
}

async function findingOf({ clientId, jwksUri }: Publisher, reader: KeyReader): Promise<Finding> {
  const read = await reader.read(holderOfClientKeys(jwksUri))
  if (read.ok) {
    const keys = read.keys.length === 1 ? '1 usable key' : `${read.keys.length} usable keys`
    return ok(CHECK, `the jwks_uri of client ${clientId} has ${keys}`)
  }
  return warning(
    CHECK,
    `the jwks_uri of client ${clientId} cannot be used: ${read.problem}`,
    'correct the key set, or UpdateClient with another jwks_uri or with jwks; until then, the client is refused with OAUTH_TEMPORARILY_UNAVAILABLE',
  )
}

/** `last`: the last client that was examined. */
function leftOut(last: ClientId | null, most: number, patienceMs: number): Finding {
  const which = last === null ? 'all clients' : `the clients after ${last}`
  return warning(
    CHECK,
    `${which} were skipped: this examination reads the keys of at most ${most} clients, within ${patienceMs / 1_000} s`,
    'see the log of the servers, and qscope_key_set_reads_total, for the keys of the others',
  )
}
