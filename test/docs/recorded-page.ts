import { type Block, blocksOf } from './page.ts'
import { DOCUMENTED_ADDRESS, runBlocks, type ShellBlock } from './shell.ts'

/** Who makes the calls of a page: it is walked through once with each. */
export const TOOLS = ['grpcurl', 'buf curl'] as const
export type Tool = (typeof TOOLS)[number]

/** How grpcurl, `qscope decode-status` and `qscope` itself begin what they say of a refusal. */
const REFUSAL = /^(ERROR:|[A-Z_]+: |qscope: )/

/** What differs from run to run, and what a page shows of it. */
const VARYING: readonly (readonly [RegExp, string])[] = [
  [/\b(q(?:at|rt|ac|dc|cs)_)[0-9A-Za-z]{49}\b/g, '$1…'],
  [/\beyJ[\w-]+\.[\w-]+\.[\w-]+/g, 'eyJ…'],
  [/\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/g, '…'],
  [/\b\d{4}-\d\d-\d\dT[\d:.]+Z/g, '…'],
  [/\b[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}\b/g, '…'],
  [/(?<![\w-])[\w-]{40,}(?![\w-])/g, '…'],
  // Revocation keys: 16 bytes in base64, or in base64url.
  [/"[A-Za-z0-9+/]{22}=="/g, '"…"'],
  [/("rvk": ?)"[\w-]{22}"/g, '$1"…"'],
  [/("etag": ?)"u\d+"/g, '$1"…"'],
  [/("(?:expiresIn|covered|rateWindow)": ?)"[\d.]+s"/g, '$1"…s"'],
  // What a server says of itself depends on its machine and database, and on who called before.
  [/("(?:findings|calls|refusals)": ?)\[\n.*?\n {2}\]/gs, '$1["…"]'],
  [/("version": ?)"\d+\.\d+\.\d+"/g, '$1"…"'],
  [/\b\d+\.\d+s\b/g, '…s'],
  // Seconds since 1970.
  [/\b(exp|now) \d{10}\b/g, '$1 …'],
  [/\b(audit|encryption|pepper|revocation)-[0-9a-f]{8}\b/g, '$1-…'],
]

export interface Served {
  readonly address: string
  /** What the reader knows before. */
  readonly variables: Readonly<Record<string, string>>
}

/** Runs the shell blocks of a page that are this tool's or nobody's; answers what its output blocks show then. */
export async function walk(page: string, tool: Tool, server: Served): Promise<ReadonlyMap<number, string>> {
  const blocks = blocksOf(page)
  const own = [...blocks.keys()].filter((at) => isFor(tool, blocks[at]))
  const outputs = await runBlocks(
    own.map((at) => shellBlock(blocks, at)),
    server,
  )
  const shown = new Map<number, string>()
  for (const [index, at] of own.entries()) {
    const target = shownAfter(blocks, at)
    if (target === null) continue
    shown.set(target, asShown(blocks[target], outputs[index] ?? '', server.address))
  }
  return shown
}

/** The page with what was printed in the place of what it shows. */
export function withOutputs(page: string, outputs: ReadonlyMap<number, string>): string {
  let at = -1
  return page.replaceAll(/^```(\w+)\n(.*?)^```$/gms, (block, language: string) => {
    at += 1
    const output = outputs.get(at)
    return output === undefined ? block : `\`\`\`${language}\n${output}\n\`\`\``
  })
}

function isFor(tool: Tool, block: Block | undefined): boolean {
  if (block?.language !== 'sh') return false
  const others = TOOLS.filter((each) => each !== tool)
  return block.text.includes(tool) || !others.some((other) => block.text.includes(other))
}

/** Where the output of a command is shown; commands of two tools that stand together share one JSON document. */
function shownAfter(blocks: readonly Block[], at: number): number | null {
  const next = blocks.findIndex(({ language }, index) => index > at && language !== 'sh')
  const between = blocks.slice(at + 1, next)
  if (next === -1 || blocks[next]?.language === 'mermaid') return null
  if (between.length === 0) return next
  const isPair =
    between.length === 1 && TOOLS.every((tool) => [blocks[at], ...between].some((b) => b?.text.includes(tool)))
  return isPair && blocks[next]?.language === 'json' ? next : null
}

function shellBlock(blocks: readonly Block[], at: number): ShellBlock {
  const text = blocks[at]?.text ?? ''
  const next = blocks[at + 1]
  return { text, refused: isRefusal(next) }
}

/** Whether a page shows a refusal here, so that what it shows it of has to fail. */
export function isRefusal(shown: Block | undefined): boolean {
  return shown?.language === 'text' && REFUSAL.test(shown.text)
}

/** What a command printed, as a page shows it: with `…` for what varies. */
export function asShown(block: Block | undefined, output: string, address: string): string {
  const text = output.trim().replaceAll(address, DOCUMENTED_ADDRESS)
  if (isRefusal(block) && !REFUSAL.test(text)) throw new Error(`this is no refusal: ${text}`)
  return masked(
    block?.language === 'json'
      ? documentsOf(text)
      : text.replaceAll(/(?<=\n)( +\d+\))\t(\{.*?)(?=\n +\d+\)\t|\n?$)/gs, compacted),
  )
}

/** Tools differ in their spaces. A stream is several documents. */
function documentsOf(text: string): string {
  return parsed(text)
    .map((document) => JSON.stringify(document, null, 2))
    .join('\n')
}

/** JSON documents as values to compare: tools order the members of a status differently. */
export function parsed(documents: string): readonly unknown[] {
  return documents.split(/(?<=^\})\n/m).map((document) => JSON.parse(document))
}

/** A detail of grpcurl's in one line: how it breaks and spaces JSON depends on how it was built. */
function compacted(_: string, head: string, detail: string): string {
  return `${head} ${JSON.stringify(JSON.parse(detail))}`
}

function masked(text: string): string {
  return VARYING.reduce((result, [pattern, shown]) => result.replaceAll(pattern, shown), text)
}
