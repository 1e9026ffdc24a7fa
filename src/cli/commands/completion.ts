import { Argument, Command } from 'commander'
import { bashCompletion } from '../completion/bash.ts'
import { type CompletedCommand, commandsUnder } from '../completion/command-tree.ts'
import { fishCompletion } from '../completion/fish.ts'
import { zshCompletion } from '../completion/zsh.ts'
import { writeAnswer } from '../output/terminal.ts'

const SHELLS = ['bash', 'zsh', 'fish'] as const
type Shell = (typeof SHELLS)[number]

const SCRIPTS: Readonly<Record<Shell, (commands: readonly CompletedCommand[]) => string>> = Object.freeze({
  bash: bashCompletion,
  zsh: zshCompletion,
  fish: fishCompletion,
})

const HOW = `
Load it in every shell that you start:
  bash  echo 'source <(qscope completion bash)' >> ~/.bashrc
  zsh   echo 'source <(qscope completion zsh)' >> ~/.zshrc   # after compinit
  fish  qscope completion fish > ~/.config/fish/completions/qscope.fish`

export function completionCommand(): Command {
  return new Command('completion')
    .description('print a completion script for a shell')
    .addArgument(new Argument('<shell>').choices(SHELLS))
    .addHelpText('after', HOW)
    .action((shell: Shell, _options: object, command: Command) => {
      const root = command.parent ?? command
      writeAnswer(SCRIPTS[shell](commandsUnder(root)))
    })
}
