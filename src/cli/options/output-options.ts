import { type Command, Option } from 'commander'

/** The output formats of a command. */
export const OUTPUT_FORMS = ['table', 'wide', 'json', 'yaml', 'name'] as const
export type OutputForm = (typeof OUTPUT_FORMS)[number]

export interface OutputOptions {
  readonly output?: OutputForm
}

const GROUP = 'Output options:'

/** Adds the options of every command that prints objects. */
export function withOutput(command: Command): Command {
  return command
    .addOption(new Option('-o, --output <form>', 'output form').choices(OUTPUT_FORMS).default('table').helpGroup(GROUP))
    .addOption(new Option('--json', 'the same as -o json').implies({ output: 'json' }).helpGroup(GROUP))
}
