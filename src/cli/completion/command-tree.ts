import type { Command, Option } from 'commander'

/** A command for completion. */
export interface CompletedCommand {
  /** Such as `client create`. Empty for the program itself. */
  readonly path: string
  readonly commands: readonly Named[]
  readonly options: readonly CompletedOption[]
  /** The values of its first argument. */
  readonly argument: Values
}

export interface Named {
  readonly name: string
  /** One line for display. */
  readonly description: string
}

export interface CompletedOption extends Named {
  /** All spellings, such as `-o` and `--output`. */
  readonly flags: readonly string[]
  /** `null`: it takes no value. */
  readonly value: Values | null
}

/** The possible values: words, a path, the name of a context, or anything. */
export type Values =
  | { readonly kind: 'words'; readonly words: readonly string[] }
  | { readonly kind: 'path' }
  | { readonly kind: 'context' }
  | { readonly kind: 'text' }

const TEXT: Values = Object.freeze({ kind: 'text' })

/** The program and all its commands. Each command comes before its subcommands. */
export function commandsUnder(command: Command, path = ''): readonly CompletedCommand[] {
  const children = command.createHelp().visibleCommands(command)
  const own: CompletedCommand = {
    path,
    commands: children.flatMap((child) =>
      [child.name(), ...child.aliases()].map((name) => ({ name, description: firstSentence(child.description()) })),
    ),
    options: command.createHelp().visibleOptions(command).map(completedOption),
    argument: argumentOf(command, path),
  }
  return [
    own,
    ...children.flatMap((child) =>
      [child.name(), ...child.aliases()].flatMap((name) =>
        commandsUnder(child, path === '' ? name : `${path} ${name}`),
      ),
    ),
  ]
}

function completedOption(option: Option): CompletedOption {
  const flags = [option.short, option.long].filter((flag) => flag !== undefined && flag !== null)
  const takesValue = option.required || option.optional
  return {
    name: option.long ?? option.short ?? '',
    flags,
    description: firstSentence(option.description),
    value: takesValue ? valuesOf(option) : null,
  }
}

/** The placeholder of an option determines the kind of its value. */
function valuesOf({ argChoices, flags, long }: Option): Values {
  if (argChoices !== undefined) return { kind: 'words', words: argChoices }
  if (/<(path|file)>/.test(flags)) return { kind: 'path' }
  return long === '--context' ? { kind: 'context' } : TEXT
}

function argumentOf({ registeredArguments: [first] }: Command, path: string): Values {
  if (first === undefined) return TEXT
  if (first.argChoices !== undefined) return { kind: 'words', words: first.argChoices }
  return path.startsWith('context ') ? { kind: 'context' } : TEXT
}

function firstSentence(text: string): string {
  return text.split(/[;:(]/, 1).join('').trim()
}
