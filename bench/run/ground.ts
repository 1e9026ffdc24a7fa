import { type Cell, cellName, type Ground, isTrial } from '../cells.ts'
import type { BenchDatabase } from '../databases/bench-database.ts'
import { rows } from '../rows/all.ts'
import { readKnownTokens } from '../rows/checks.ts'
import { openSite, type Site } from '../rows/site.ts'
import type { OpenedDataset } from '../seed/dataset.ts'
import { type QScopeServer, type ServerSettings, startQScope } from '../server/qscope-server.ts'
import { type Contestant, connectionsFor } from './contestant.ts'

/** A running server with everything that its cells need. */
export interface OpenGround {
  readonly server: QScopeServer
  contestant(cell: Cell): Contestant
  close(): Promise<void>
}

/** Starts the server of a ground on its seeded database. */
export async function openGround(
  { workers, transport }: Ground,
  database: BenchDatabase,
  dataset: OpenedDataset,
  settings: Pick<ServerSettings, 'entry' | 'nodeArgs'>,
): Promise<OpenGround> {
  const place = { databaseUrl: dataset.url, keyringFile: dataset.keyringFile }
  const server = await startQScope({ ...settings, ...place, workers, transport })
  const site = await openSite(server.port, dataset)
  await readKnownTokens(site)
  return {
    server,
    contestant: (cell) => contestantOf(cell, site, { server: server.pid, database: database.pid }),
    close: async () => {
      site.close()
      await server.stop()
    },
  }
}

function contestantOf(cell: Cell, site: Site, watched: Contestant['watched']): Contestant {
  if (isTrial(cell.row)) throw new Error(`${cell.row} is not measured in rounds`)
  const row = rows[cell.row]
  const { inFlight } = cell
  return {
    name: cellName(cell),
    tokensPerCall: row.tokensPerCall,
    watched,
    job: async (durationMs) => ({
      protocol: 'grpc',
      port: site.port,
      path: row.path,
      expected: row.expected,
      requests: await row.prepare(site, { inFlight, durationMs }),
      connections: connectionsFor(inFlight),
      inFlight,
      durationMs,
    }),
  }
}
