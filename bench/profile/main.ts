/**
 * `node bench/profile/main.ts <cell>`: the processor time of the server's functions while a cell is measured. The server runs
 * from its sources, so that places of functions are known.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { cellName, cellOf } from '../cells.ts'
import { cacheRoot } from '../directory.ts'
import { endOnSignal } from '../end-on-signal.ts'
import { planOf } from '../plan.ts'
import { Bench } from '../run/bench.ts'
import { qscopeEntry } from '../server/qscope-entry.ts'
import { type CpuProfile, type SelfTime, selfTimes } from './cpu-profile.ts'

const SOURCE = join(import.meta.dirname, '..', '..', 'src', 'main.ts')
const SAMPLE_EVERY_US = 200
const SHOWN = 40

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seconds: { type: 'string', default: '8' } },
})
endOnSignal()
const cell = cellOf(positionals[0] ?? 'sqlite/introspect/1m/32/1w')
const durationMs = Number(values.seconds) * 1_000
const directory = mkdtempSync(join(tmpdir(), 'qscope-profile-'))
try {
  let begun = 0n
  const outcome = await Bench.run(planOf([cell]), {
    entry: qscopeEntry(SOURCE),
    root: cacheRoot(),
    fresh: false,
    pace: { rounds: 1, durationMs, warmUpMs: durationMs / 4 },
    trials: { starts: 1, soakMs: durationMs },
    nodeArgs: ['--cpu-prof', `--cpu-prof-dir=${directory}`, `--cpu-prof-interval=${SAMPLE_EVERY_US}`],
    tell: (line) => {
      process.stderr.write(`${line}\n`)
      // Excludes the start and the warm-up.
      if (line.includes('round 1')) begun = process.hrtime.bigint()
    },
  })
  for (const result of outcome.groups.flatMap(({ results }) => results)) {
    if (result.kind === 'not available') throw new Error(`${result.name} is not available: ${result.reason}`)
  }
  // Profiles the event loop of each process. The SQLite writer thread is started without Node's arguments.
  for (const file of readdirSync(directory)) {
    const profile = JSON.parse(readFileSync(join(directory, file), 'utf8')) as CpuProfile
    print(file, selfTimes(profile, Number(begun / 1_000n), Number.POSITIVE_INFINITY))
  }
} finally {
  rmSync(directory, { recursive: true, force: true })
}

function print(file: string, times: readonly SelfTime[]): void {
  const total = times.reduce((sum, { microseconds }) => sum + microseconds, 0)
  const share = (microseconds: number) => `${((100 * microseconds) / total).toFixed(1).padStart(5)} %`
  const lines = [`\n${cellName(cell)}, ${file}: ${(total / 1e6).toFixed(2)} s busy`, '', 'by module']
  const modules = Map.groupBy(times, ({ module }) => module)
  const sums = [...modules].map(([module, all]) => ({
    module,
    sum: all.reduce((sum, each) => sum + each.microseconds, 0),
  }))
  for (const { module, sum } of sums.toSorted((a, b) => b.sum - a.sum)) lines.push(`${share(sum)}  ${module}`)
  lines.push('', 'by function, self time')
  for (const { name, microseconds } of times.slice(0, SHOWN)) lines.push(`${share(microseconds)}  ${name}`)
  process.stdout.write(`${lines.join('\n')}\n`)
}
