import { expect } from 'vitest'
import { type Block, matchesJson, matchesText } from './page.ts'
import { runShell } from './shell.ts'

/** Runs the shell blocks of a page in one shell, and compares each other block with what the one before it printed. */
export async function expectAsShown(blocks: readonly Block[], variables: Record<string, string>): Promise<void> {
  const outputs = await runShell(
    blocks.filter(({ language }) => language === 'sh').map(({ text }) => text),
    variables,
  )
  let printed = -1
  for (const { language, text } of blocks) {
    if (language === 'sh') printed += 1
    else if (language === 'json') expect(outputs[printed]).toSatisfy((output) => matchesJson(text, output), text)
    else expect(outputs[printed]).toSatisfy((output) => matchesText(text, output), text)
  }
}
