import { constants } from 'node:os'
import { createInterface } from 'node:readline/promises'
import { Writable } from 'node:stream'
import { type Command, Option } from 'commander'
import { UsageError } from '../options/options.ts'
import { writeNotice } from '../output/terminal.ts'

export interface ConfirmationOptions {
  readonly yes?: true
}

/** Adds the option that confirms an irreversible command. */
export function withConfirmation(command: Command): Command {
  return command.addOption(new Option('-y, --yes', 'do not ask for confirmation'))
}

/**
 * Asks for confirmation of something irreversible. Throws without it. `what` describes the effect, such as `This deletes the
 * client orders for good`. Without a terminal, the command fails unless `--yes` was given.
 */
export async function confirm({ yes }: ConfirmationOptions, what: string): Promise<void> {
  if (yes) return
  if (!isInteractive())
    throw new UsageError(`${lowerFirst(what)}, and there is no terminal to confirm it: give --yes to confirm`)
  const answer = await ask(`${what}.\nContinue? [y/N] `)
  if (!/^y(es)?$/i.test(answer.trim())) throw new Error('cancelled; nothing was changed')
}

/** Asks for a text that the terminal does not show. */
export async function askSecret(question: string): Promise<string> {
  return (await ask(question, { shown: false })).trim()
}

/** Whether a person can see a question and answer it. */
function isInteractive(): boolean {
  return process.stdin.isTTY === true && process.stderr.isTTY === true
}

async function ask(question: string, { shown = true }: { readonly shown?: boolean } = {}): Promise<string> {
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() })
  const lines = createInterface({ input: process.stdin, output: shown ? process.stderr : nowhere, terminal: !shown })
  const left = new AbortController()
  /** The terminal does not show the end of a line either. */
  const endLine = () => {
    lines.close()
    if (!shown) writeNotice('\n')
  }
  // A hidden question reads Ctrl-C as a key. The command ends as it does by the signal elsewhere.
  lines.on('SIGINT', () => {
    endLine()
    process.exit(128 + constants.signals.SIGINT)
  })
  // Without a listener, the promise of a question that input ends would never settle.
  lines.on('close', () => left.abort())
  // Asked only now: from here on the terminal does not show input.
  writeNotice(question)
  try {
    return await lines.question('', { signal: left.signal })
  } catch (error) {
    if (left.signal.aborted) throw new Error('nothing was answered; nothing was changed')
    throw error
  } finally {
    endLine()
  }
}

function lowerFirst(text: string): string {
  return text.slice(0, 1).toLowerCase() + text.slice(1)
}
