/**
 * Lets the calls of one turn of the event loop go through the same steps at the
 * same time: what they ask of the database then travels together, and the
 * processor finds the code of a step where it left it for the call before.
 */

/** Whether all who are about to ask do so before the next tick. */
let asking = false

let beginning: (() => void)[] = []

/** Begins it with all others that arrive in this turn, once what the sockets had is read. */
export function startTogether(begin: () => void): void {
  if (beginning.length === 0) setImmediate(beginAll)
  beginning.push(begin)
}

/** `begin` must not throw: it would keep the others from beginning. */
function beginAll(): void {
  const all = beginning
  beginning = []
  asking = true
  for (const begin of all) begin()
  asking = false
}

/** Runs it when all have asked who are about to: now or, where callers go on with an answer, after the last of them. */
export function scheduleBatch(send: () => void): void {
  if (asking) process.nextTick(send)
  else setImmediate(send)
}

/** Says that callers go on with an answer now; what they ask next, they ask before anybody else is heard. */
export function callersResume(): void {
  if (asking) return
  asking = true
  // Ticks come after all that promises have to do.
  process.nextTick(() => {
    asking = false
  })
}
