/**
 * Keeps signals that a server outlives from ending it while it is loaded, which takes most of a start: whoever replaces a
 * certificate sends SIGHUP whenever it likes. The files are read later than that. Other commands end as their terminal does.
 */
export function outliveSignalsAsServer(args: readonly string[]): void {
  if (args.find((argument) => !argument.startsWith('-')) !== 'serve') return
  for (const signal of ['SIGHUP', 'SIGUSR2'] as const) process.on(signal, () => undefined)
}
