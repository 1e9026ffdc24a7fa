import { type Cell, DATABASES, type DatabaseName, groundName, isTrial, parseCells, type TrialName } from './cells.ts'

/** Cells that are measured side by side in rounds, with the reference servers. */
export interface Group {
  readonly title: string
  readonly inFlight: number
  readonly cells: readonly Cell[]
  /** Whether oidc-provider is measured, too. */
  readonly withPeers: boolean
}

export type Trial = Cell & { readonly row: TrialName }

export interface Plan {
  readonly groups: readonly Group[]
  readonly trials: readonly Trial[]
}

const IN_FLIGHT = 32
const TARGET_ROWS = 'introspect,verify,batch-introspect,mint,mint-jwt,refresh'

/** The cells with targets. Takes some minutes. */
export function standardPlan(): Plan {
  const onOne = (database: DatabaseName): Group => ({
    title: `${database}, 1 million tokens, one worker`,
    inFlight: IN_FLIGHT,
    cells: parseCells([
      `${database}/${TARGET_ROWS}/1m/${IN_FLIGHT}/1w`,
      `${database}/introspect,verify,mint/1m/${IN_FLIGHT}/1w/grpc-js`,
    ]),
    withPeers: database === 'sqlite',
  })
  const sizes = (database: DatabaseName): Group => ({
    title: `${database}, 10 thousand and 10 million tokens`,
    inFlight: IN_FLIGHT,
    cells: parseCells([`${database}/introspect/10k,10m/${IN_FLIGHT}/1w`]),
    withPeers: false,
  })
  const workers = (database: DatabaseName): Group => ({
    title: `${database}, one worker and two`,
    inFlight: IN_FLIGHT,
    cells: parseCells([`${database}/introspect/1m/${IN_FLIGHT}/1w,2w`]),
    withPeers: false,
  })
  const alone: Group = {
    title: 'sqlite, one call at a time',
    inFlight: 1,
    cells: parseCells(['sqlite/introspect,mint/1m/1/1w']),
    withPeers: false,
  }
  return {
    groups: [...DATABASES.map(onOne), alone, sizes('sqlite'), sizes('mariadb'), workers('sqlite'), workers('mariadb')],
    trials: parseCells(['sqlite,mariadb/start/1m/1/1w']).filter(isTrialCell),
  }
}

/**
 * Any cells. Cells with the same ground and the same number of calls in progress form a group, on either transport.
 * `withPeers`: measures oidc-provider, too.
 */
export function planOf(cells: readonly Cell[], withPeers = false): Plan {
  const titleOf = (cell: Cell) => `${groundName({ ...cell, transport: 'native' })}, ${cell.inFlight} in flight`
  const groups = [
    ...Map.groupBy(
      cells.filter(({ row }) => !isTrial(row)),
      titleOf,
    ),
  ].map(([title, together]): Group => {
    const inFlight = together[0]?.inFlight ?? IN_FLIGHT
    return { title, inFlight, cells: together, withPeers }
  })
  return { groups, trials: cells.filter(isTrialCell) }
}

function isTrialCell(cell: Cell): cell is Trial {
  return isTrial(cell.row)
}
