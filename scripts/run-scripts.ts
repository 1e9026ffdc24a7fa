/** Runs scripts of package.json one after the other: `node scripts/run-scripts.ts lint typecheck`. Says in the end which failed. */
import { spawnSync } from 'node:child_process'

const names = process.argv.slice(2)
const failed = names.filter((name) => spawnSync('npm', ['run', name], { stdio: 'inherit' }).status !== 0)
if (failed.length > 0) {
  console.error(`Failed: ${failed.join(', ')}`)
  process.exitCode = 1
}
