# Prints what completion offers for each argument, a line of words each. FOLDER holds completion.bash.
source "$FOLDER/completion.bash"
for line in "$@"; do
  # An equals sign separates words, and what follows a space is a word, though it is empty.
  IFS=' ' read -ra COMP_WORDS <<<"${line/=/ = }"
  [[ $line == *' ' ]] && COMP_WORDS+=('')
  COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
  _qscope
  echo "${COMPREPLY[*]}"
done
