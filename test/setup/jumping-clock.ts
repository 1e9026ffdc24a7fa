/**
 * Loaded into a process with `node --import`. On SIGUSR2, its wall clock jumps by the number of milliseconds in the file of
 * QSCOPE_TEST_CLOCK_FILE.
 */
import { readFileSync } from 'node:fs'

const realNow = Date.now
let ahead = 0

process.on('SIGUSR2', () => {
  ahead = Number(readFileSync(process.env['QSCOPE_TEST_CLOCK_FILE'] ?? '', 'utf8'))
})
Date.now = () => realNow() + ahead
globalThis.Date = new Proxy(Date, {
  construct: (target, args, newTarget) =>
    Reflect.construct(target, args.length === 0 ? [target.now()] : args, newTarget),
})
