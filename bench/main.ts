/** `node bench/main.ts` measures the cells with targets. `full <cells>` measures any cells. See docs/benchmarks/README.md. */
import { parseArgs } from 'node:util'
import { parseCells } from './cells.ts'
import { cacheRoot } from './directory.ts'
import { endOnSignal } from './end-on-signal.ts'
import { planOf, standardPlan } from './plan.ts'
import { thisMachine } from './report/machine.ts'
import type { Results } from './report/results.ts'
import { saveResults } from './report/save.ts'
import { reportText } from './report/text.ts'
import { Bench } from './run/bench.ts'
import { qscopeEntry } from './server/qscope-entry.ts'
import { judge } from './targets.ts'

const WARM_UP_MS = 1_000
const STARTS = 5

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: 'string', default: '1.5' },
    rounds: { type: 'string', default: '5' },
    'soak-seconds': { type: 'string', default: '600' },
    fresh: { type: 'boolean', default: false },
    peers: { type: 'boolean', default: false },
    'node-args': { type: 'string', default: '' },
    save: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
})

endOnSignal()
const [command, ...patterns] = positionals
const plan = command === 'full' ? planOf(parseCells(patterns), values.peers) : standardPlan()
const seconds = Number(values.seconds)
const rounds = Number(values.rounds)
const outcome = await Bench.run(plan, {
  entry: qscopeEntry(),
  root: cacheRoot(),
  fresh: values.fresh,
  pace: { rounds, durationMs: seconds * 1_000, warmUpMs: WARM_UP_MS },
  trials: { starts: STARTS, soakMs: Number(values['soak-seconds']) * 1_000 },
  nodeArgs: values['node-args'].split(' ').filter(Boolean),
  // Standard output is for results only.
  tell: (line) => void process.stderr.write(`${line}\n`),
})
const results: Results = {
  date: new Date().toISOString(),
  machine: thisMachine(),
  rounds,
  seconds,
  ...outcome,
  targets: judge(outcome),
}
process.stdout.write(values.json ? `${JSON.stringify(results, null, 2)}\n` : `\n${reportText(results)}`)
if (values.save) saveResults(results)
