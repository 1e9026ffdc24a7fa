import type { Command } from 'commander'
import { program } from '../../src/cli/program.ts'

/** The commands without subcommands, by their words, such as `client create`. */
export function everyCommand(): ReadonlyMap<string, Command> {
  return new Map(commandsUnder(program(), []).filter(([path]) => path !== ''))
}

function commandsUnder(command: Command, words: readonly string[]): readonly [string, Command][] {
  if (command.commands.length === 0) return [[words.join(' '), command]]
  return command.commands.flatMap((child) => commandsUnder(child, [...words, child.name()]))
}

/** Commands without the forms of `-o`, and why. */
export const WITHOUT_FORMS: Readonly<Record<string, string>> = Object.freeze({
  serve: 'it runs until it is stopped',
  'token header': 'it prints the line that another program takes',
  'audit export': 'it prints the lines of one format, which audit verify reads',
  completion: 'it prints a script',
})
