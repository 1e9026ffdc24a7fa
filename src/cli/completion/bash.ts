import type { CompletedCommand, Values } from './command-tree.ts'

/**
 * Completion for bash 3.2 and later. The shell script finds the command from the words before the cursor and completes it
 * from tables. It does not start the program.
 */
export function bashCompletion(commands: readonly CompletedCommand[]): string {
  return `# bash completion of qscope: source <(qscope completion bash)

# What may follow at a command: sets commands, flags, valued (flag=values) and argument.
_qscope_describe() {
  commands='' flags='' valued='' argument=''
  case $1 in
${commands.map(branchOf).join('\n')}
  esac
}

# The values of the flag $1 of the described command; fails if it takes none.
_qscope_values_of() {
  local each
  for each in $valued; do
    if [[ $each == "$1="* ]]; then
      values=\${each#*=}
      return 0
    fi
  done
  return 1
}

_qscope_contexts() {
  local file
  for file in "\${XDG_CONFIG_HOME:-$HOME/.config}"/qscope/contexts/*.json; do
    [[ -e $file ]] || continue
    file=\${file##*/}
    printf '%s\\n' "\${file%.json}"
  done
}

# Completes $1 from values as the tables write them.
_qscope_reply() {
  case $1 in
    @path) compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- "$cur")) ;;
    @context) COMPREPLY=($(compgen -W "$(_qscope_contexts)" -- "$cur")) ;;
    @text) COMPREPLY=() ;;
    *) COMPREPLY=($(compgen -W "\${1//,/ }" -- "$cur")) ;;
  esac
}

_qscope() {
  local cur=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]}
  local path='' commands flags valued argument values word index
  # --flag=value comes in three words.
  if [[ $cur == '=' ]]; then
    cur=''
  elif [[ $previous == '=' ]]; then
    previous=\${COMP_WORDS[COMP_CWORD-2]}
  fi
  _qscope_describe ''
  for ((index = 1; index < COMP_CWORD; index++)); do
    word=\${COMP_WORDS[index]}
    if [[ $word == -* ]]; then
      # The word after it is its value.
      if _qscope_values_of "$word"; then ((index++)); fi
    elif [[ " $commands " == *" $word "* ]]; then
      path="\${path:+$path }$word"
      _qscope_describe "$path"
    fi
  done
  COMPREPLY=()
  if [[ $previous == -* ]] && _qscope_values_of "$previous"; then
    _qscope_reply "$values"
  elif [[ $cur == -* ]]; then
    COMPREPLY=($(compgen -W "$flags" -- "$cur"))
  elif [[ -n $commands ]]; then
    COMPREPLY=($(compgen -W "$commands" -- "$cur"))
  else
    _qscope_reply "$argument"
  fi
}

complete -F _qscope qscope
`
}

function branchOf({ path, commands, options, argument }: CompletedCommand): string {
  const flags = options.flatMap((option) => option.flags)
  const valued = options.flatMap(({ flags: names, value }) =>
    value === null ? [] : names.map((name) => `${name}=${written(value)}`),
  )
  const words = (names: readonly string[]) => `'${names.join(' ')}'`
  return `    '${path}')
      commands=${words(commands.map(({ name }) => name))}
      flags=${words(flags)}
      valued=${words(valued)}
      argument='${written(argument)}' ;;`
}

/** Words contain no spaces or commas, and do not begin with `@`. */
function written(values: Values): string {
  return values.kind === 'words' ? values.words.join(',') : `@${values.kind}`
}
