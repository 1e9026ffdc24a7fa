import type { Command } from 'commander'

/** Shows under the help of a command how it is called; a command line may go on in the next, behind a backslash. */
export function withExample(command: Command, ...lines: readonly string[]): Command {
  return command.addHelpText('after', `\nExample:\n${lines.map((line) => `  ${line}`).join('\n')}`)
}
