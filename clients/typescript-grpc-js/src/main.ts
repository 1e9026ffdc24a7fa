/** Calls QScope over grpc-js; README.md tells how. Each command prints one JSON document. */
import { QScopeError } from '@qscope/client'
import { adviceOn } from './advice.ts'
import { device } from './commands/device.ts'
import { mint } from './commands/mint.ts'
import { refresh } from './commands/refresh.ts'
import { verify } from './commands/verify.ts'
import { openQScope } from './qscope.ts'

const COMMANDS = Object.freeze({ mint, verify, refresh, device })
const [name = '', ...args] = process.argv.slice(2)
const command = Object.entries(COMMANDS).find(([known]) => known === name)?.[1]

if (command === undefined) {
  console.error(`usage: npm start -- ${Object.keys(COMMANDS).join('|')} …`)
  process.exitCode = 2
} else {
  const qscope = openQScope(process.env)
  try {
    console.log(JSON.stringify(await command(qscope, args)))
  } catch (error) {
    if (!(error instanceof QScopeError)) throw error
    const { status, reason, rayId, retryAfterMs, fieldViolations } = error
    console.log(JSON.stringify({ status, reason, advice: adviceOn(error), retryAfterMs, fieldViolations, rayId }))
    process.exitCode = 1
  } finally {
    qscope.channel.close()
  }
}
