/**
 * Node.js opens its debugger to whoever may send SIGUSR1, and who debugs a
 * process reads its secrets. The first line of `main.ts` turns the signal off;
 * where the file is run in another way, a listener takes the signal's place.
 * `--inspect` still opens the debugger, for those who start the process.
 */
export function keepDebuggerClosed(): void {
  process.on('SIGUSR1', () => undefined)
}
