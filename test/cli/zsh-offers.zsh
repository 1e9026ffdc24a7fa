# Prints what completion offers for each argument, a line of words each, as an interactive zsh would.
# FOLDER holds completion.zsh, and takes what else is needed.
zmodload zsh/zpty
out=$FOLDER/offers
: >$out
cat >$FOLDER/interactive.zsh <<'RC'
PS1=
# However many there are, nobody is asked whether to list them.
LISTMAX=100000
autoload -Uz compinit && compinit -u -D
source $FOLDER/completion.zsh
setopt extendedglob
typeset -ga offered
# Takes note of what is offered; with -O, -A or -D nothing is.
compadd() {
  if [[ " ${(j: :)@[1,(i)(-|--)]} " == *' -'[a-zA-Z]#(O|A|D)' '* ]]; then
    builtin compadd "$@"
    return
  fi
  local -a found
  builtin compadd -A found "$@"
  offered+=($found)
  builtin compadd "$@"
}
note-offers() {
  offered=()
  zle list-choices
  print -r -- "${(j: :)${(u)offered}}" >>$FOLDER/offers
  zle kill-buffer
}
zle -N note-offers
bindkey '^I' note-offers
RC
zpty -b typist zsh -f -i
zpty -w typist 'stty rows 1000 cols 200'
zpty -w typist "source $FOLDER/interactive.zsh"
for line in "$@"; do
  before=$(wc -l <$out)
  zpty -w -n typist "$line"$'\t'
  for ((tries = 0; tries < 600; tries++)); do
    (( $(wc -l <$out) > before )) && break
    # What the terminal shows is read, or it stops when it is full.
    while zpty -rt typist shown; do :; done
    sleep 0.1
  done
  (( tries < 600 )) || exit 1
done
zpty -d typist
cat $out
