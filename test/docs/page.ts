/** A fenced block of a page. */
export interface Block {
  readonly language: string
  readonly text: string
}

export function blocksOf(page: string): readonly Block[] {
  return [...page.matchAll(/^```(\w+)\n(.*?)^```$/gms)].map(([, language = '', text = '']) => ({ language, text }))
}

/** Where a link or a picture of a page leads. */
export interface Link {
  /** As written; empty for a place in the same page. */
  readonly file: string
  /** The heading it leads to; `null` if none. */
  readonly anchor: string | null
}

/** The links and pictures of a page that do not lead out of the repository. */
export function linksOf(page: string): readonly Link[] {
  const prose = page.replaceAll(/^```.*?^```$/gms, '')
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target = '']) => target)
    .filter((target) => !/^[a-z]+:/.test(target))
    .map((target) => {
      const [file = '', anchor = null] = target.split('#')
      return { file, anchor }
    })
}

/** Targets of the links of a page that lead to files. */
export function fileLinksOf(page: string): readonly string[] {
  return linksOf(page)
    .map(({ file }) => file)
    .filter((file) => file !== '')
}

/** What the headings of a page are called in links, by the rule of Git hosts. */
export function anchorsOf(page: string): ReadonlySet<string> {
  const headings = [...page.replaceAll(/^```.*?^```$/gms, '').matchAll(/^#+ +(.+)$/gm)].map(([, text = '']) => text)
  const seen = new Map<string, number>()
  return new Set(
    headings.map((heading) => {
      const plain = heading.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1').toLowerCase()
      const anchor = plain.replaceAll(/[^\p{L}\p{N}\p{M}_\- ]/gu, '').replaceAll(' ', '-')
      const count = seen.get(anchor) ?? 0
      seen.set(anchor, count + 1)
      return count === 0 ? anchor : `${anchor}-${count}`
    }),
  )
}

/** Whether a printed JSON document has all that the page shows of it; `…` stands for anything. */
export function matchesJson(shown: string, printed: string): boolean {
  return contains(JSON.parse(shown), JSON.parse(printed))
}

/** Whether the lines that the page shows were printed, in this order; `…` stands for anything, indents and commas aside. */
export function matchesText(shown: string, printed: string): boolean {
  const lines = linesOf(printed)
  let at = 0
  return linesOf(shown).every((line) => {
    at = lines.findIndex((candidate, index) => index >= at && matchesString(line, candidate)) + 1
    return at > 0
  })
}

function contains(shown: unknown, printed: unknown): boolean {
  if (typeof shown === 'string') return typeof printed === 'string' && matchesString(shown, printed)
  if (Array.isArray(shown)) {
    return (
      Array.isArray(printed) &&
      shown.length === printed.length &&
      shown.every((item, index) => contains(item, printed[index]))
    )
  }
  if (typeof shown !== 'object' || shown === null) return shown === printed
  if (typeof printed !== 'object' || printed === null) return false
  const there = new Map(Object.entries(printed))
  return Object.entries(shown).every(([name, value]) => contains(value, there.get(name)))
}

function matchesString(shown: string, printed: string): boolean {
  const parts = shown.split('…').map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'))
  return new RegExp(`^${parts.join('.+')}$`).test(printed)
}

function linesOf(text: string): readonly string[] {
  const lines = text.split('\n').map((line) => line.trim().replace(/,$/, ''))
  return lines.filter((line) => line !== '')
}
