import type { CompletedCommand, CompletedOption, Values } from './command-tree.ts'

/** Completion for zsh 5 with `_arguments`: one function for each command. */
export function zshCompletion(commands: readonly CompletedCommand[]): string {
  return `#compdef qscope
# zsh completion of qscope: source <(qscope completion zsh), or a file _qscope in a folder of $fpath

_qscope_contexts() {
  local -a names
  names=(\${XDG_CONFIG_HOME:-$HOME/.config}/qscope/contexts/*.json(N:t:r))
  compadd -a names
}

${commands.map(functionOf).join('\n\n')}

if [[ $funcstack[1] == _qscope ]]; then
  _qscope "$@"
else
  compdef _qscope qscope
fi
`
}

function functionOf({ path, commands, options, argument }: CompletedCommand): string {
  const name = functionName(path)
  const specifications = options.map(specificationOf)
  if (commands.length === 0) {
    return `${name}() {
  _arguments -s -S ${[...specifications, `'*:argument:${actionOf(argument)}'`].map((each) => `\\\n    ${each}`).join(' ')}
}`
  }
  return `${name}() {
  local -a subcommands line
  local state
  subcommands=(
${commands.map((each) => `    '${quoted(each.name)}:${quoted(each.description)}'`).join('\n')}
  )
  _arguments -C -s -S ${[...specifications, "'1:command:->command'", "'*::argument:->argument'"].map((each) => `\\\n    ${each}`).join(' ')}
  case $state in
    command) _describe command subcommands ;;
    argument) (( $+functions[${name}_$line[1]] )) && ${name}_$line[1] ;;
  esac
}`
}

function functionName(path: string): string {
  return ['_qscope', ...path.split(' ').filter((word) => word !== '')].join('_')
}

function specificationOf({ flags, description, value }: CompletedOption): string {
  // The value may be the next word or part of the same word: `--flag=value`, `-fvalue`.
  const written = flags.map((flag) => (value === null ? flag : `${flag}${flag.startsWith('--') ? '=' : '+'}`))
  const names = flags.length > 1 ? `'(${flags.join(' ')})'{${written.join(',')}}` : `'*'${written.join('')}`
  const action = value === null ? '' : `:value:${actionOf(value)}`
  return `${names}'[${quoted(description)}]${action}'`
}

function actionOf(values: Values): string {
  switch (values.kind) {
    case 'words':
      return `(${values.words.map(quoted).join(' ')})`
    case 'path':
      return '_files'
    case 'context':
      return '_qscope_contexts'
    case 'text':
      return ' '
    default:
      return values satisfies never
  }
}

/** Quotes a text for single quotes, where colons and brackets are special. */
function quoted(text: string): string {
  return text.replaceAll("'", "'\\''").replaceAll(/[:[\]]/g, '\\$&')
}
