import type { CompletedCommand, CompletedOption, Values } from './command-tree.ts'

/** Completion for fish 3. */
export function fishCompletion(commands: readonly CompletedCommand[]): string {
  const valued = commands.flatMap(({ path, options }) =>
    options
      .filter(({ value }) => value !== null)
      .flatMap(({ flags }) => flags.map((flag) => `'${path}${path === '' ? '' : ' '}${flag}'`)),
  )
  return `# fish completion of qscope: qscope completion fish | source

function __qscope_contexts
    set -l home $XDG_CONFIG_HOME
    test -n "$home"; or set home $HOME/.config
    for file in $home/qscope/contexts/*.json
        string replace -r '.*/(.*)\\.json$' '$1' -- $file
    end
end

# The command that is being typed, such as "client create".
function __qscope_path
    set -l path
    set -l skip 0
    for word in (commandline -opc)[2..]
        if test $skip = 1
            set skip 0
        else if string match -q -- '-*' $word
            contains -- (string join -- ' ' $path $word) $__qscope_valued; and set skip 1
        else if contains -- (string join -- ' ' $path $word) $__qscope_paths
            set -a path $word
        end
    end
    string join -- ' ' $path
end

function __qscope_at
    set -l path (__qscope_path)
    test "$path" = "$argv[1]"
end

set -g __qscope_paths ${commands
    .filter(({ path }) => path !== '')
    .map(({ path }) => `'${path}'`)
    .join(' ')}
set -g __qscope_valued ${valued.join(' ')}

complete -c qscope -f
${commands.flatMap(linesOf).join('\n')}
`
}

function linesOf({ path, commands, options, argument }: CompletedCommand): readonly string[] {
  const at = `complete -c qscope -n '__qscope_at "${path}"'`
  const argumentValues = valuesOf(argument)
  return [
    ...commands.map(({ name, description }) => `${at} -a '${quoted(name)}' -d '${quoted(description)}'`),
    ...(argumentValues === '' ? [] : [`${at} ${argumentValues}`]),
    ...options.map((option) => `${at} ${flagsOf(option)} -d '${quoted(option.description)}'`),
  ]
}

function flagsOf({ flags, value }: CompletedOption): string {
  const names = flags.map((flag) => (flag.startsWith('--') ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`))
  return [...names, ...(value === null ? [] : [`-r ${valuesOf(value)}`.trim()])].join(' ')
}

function valuesOf(values: Values): string {
  switch (values.kind) {
    case 'words':
      return `-f -a '${values.words.map(quoted).join(' ')}'`
    case 'path':
      return '-F'
    case 'context':
      return `-f -a '(__qscope_contexts)'`
    case 'text':
      return ''
    default:
      return values satisfies never
  }
}

function quoted(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")
}
