/**
 * `npm run bench:builds -- <before/main.js> <after/main.js> [cells]` measures two builds of the server side by side. It
 * prints the ratio of the second to the first for calls a second, and for calls per second of processor time. 1.03 is three
 * percent more. Default cells: introspection, verification, minting and refreshing on SQLite. See docs/benchmarks/README.md.
 */
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type Cell, cellName, groundName, isTrial, parseCells } from './cells.ts'
import { Databases } from './databases/open.ts'
import { cacheRoot } from './directory.ts'
import { endOnSignal } from './end-on-signal.ts'
import { LoadGenerator } from './load/load-generator.ts'
import { machineLine, thisMachine } from './report/machine.ts'
import type { Contestant } from './run/contestant.ts'
import { type OpenGround, openGround } from './run/ground.ts'
import { median } from './run/measured.ts'
import { type Outcome, roundTable } from './run/round-table.ts'
import type { Sample } from './run/sample.ts'
import { openDataset } from './seed/dataset.ts'
import { abilitiesOf } from './server/abilities.ts'
import { qscopeEntry } from './server/qscope-entry.ts'

const BUILDS = Object.freeze(['before', 'after'] as const)
const WARM_UP_MS = 2_000
const STANDARD_CELLS = ['sqlite/introspect,verify,mint,mint-jwt,refresh/10k/32/1w']

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seconds: { type: 'string', default: '1.5' }, rounds: { type: 'string', default: '11' } },
})
const [before, after, ...patterns] = positionals
if (before === undefined || after === undefined) {
  console.error('usage: bench:builds -- <before/main.js> <after/main.js> [cells]')
  process.exit(2)
}

endOnSignal()
const entries = { before: qscopeEntry(before), after: qscopeEntry(after) }
const cells = parseCells(patterns.length === 0 ? STANDARD_CELLS : patterns).filter(({ row }) => !isTrial(row))
const pace = { rounds: Number(values.rounds), durationMs: Number(values.seconds) * 1_000, warmUpMs: WARM_UP_MS }
const tell = (line: string) => void process.stderr.write(`${line}\n`)
const load = new LoadGenerator()
const stops: (() => Promise<void> | void)[] = [() => load.stop()]
try {
  const grounds = { before: await openBuild('before'), after: await openBuild('after') }
  // The builds alternate for each cell, so that other load on the machine affects both equally.
  const contestants = cells.flatMap((cell) => BUILDS.map((build) => contestantOf(build, cell, grounds[build])))
  const outcomes = await roundTable(contestants, load, pace, tell)
  process.stdout.write(`${machineLine(thisMachine())}\n`)
  process.stdout.write('| | calls/s | calls per CPU second |\n|---|---|---|\n')
  for (const cell of cells) {
    const [first, second] = BUILDS.map((build) => samplesOf(outcomes.get(`${build} ${cellName(cell)}`)))
    const ratioOf = (figure: (sample: Sample) => number) =>
      median((first ?? []).map((sample, round) => figure(second?.[round] ?? sample) / figure(sample))).toFixed(3)
    const rate = ratioOf(({ callsPerSecond }) => callsPerSecond)
    const economy = ratioOf(({ callsPerSecond, cpu }) => callsPerSecond / (cpu.server ?? Number.NaN))
    process.stdout.write(`| ${cellName(cell)} | ${rate} | ${economy} |\n`)
  }
} finally {
  for (const stop of stops.toReversed()) await stop()
}

/** Each build has its own databases, so that it does not find rows of the other. */
async function openBuild(build: (typeof BUILDS)[number]): Promise<ReadonlyMap<string, OpenGround>> {
  const entry = entries[build]
  const root = join(cacheRoot(), build)
  const databases = new Databases(root, await abilitiesOf(entry))
  stops.push(() => databases.stop())
  const opened = new Map<string, OpenGround>()
  for (const cell of cells) {
    if (opened.has(groundName(cell))) continue
    const database = await databases.open(cell.database)
    const dataset = await openDataset(database, cell.tokens, { root, entry, fresh: false, tell })
    const ground = await openGround(cell, database, dataset, { entry })
    stops.push(() => ground.close())
    opened.set(groundName(cell), ground)
  }
  return opened
}

function contestantOf(build: string, cell: Cell, grounds: ReadonlyMap<string, OpenGround>): Contestant {
  const ground = grounds.get(groundName(cell))
  if (ground === undefined) throw new Error(`${cellName(cell)} has no server`)
  return { ...ground.contestant(cell), name: `${build} ${cellName(cell)}` }
}

function samplesOf(outcome: Outcome | undefined): readonly Sample[] {
  if (outcome?.kind !== 'measured') throw new Error(`a cell could not be measured: ${outcome?.reason ?? 'unknown'}`)
  return outcome.samples
}
