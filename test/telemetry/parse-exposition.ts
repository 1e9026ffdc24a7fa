/** One line of a `/metrics` page. */
export interface Series {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

/** A `/metrics` page, parsed like a scraper does. Throws at an invalid line. */
export interface Page {
  readonly series: readonly Series[]
  /** The types by name: `counter`, `gauge`, `histogram`. */
  readonly types: ReadonlyMap<string, string>
  /** The value of the one series with these labels, and possibly others. */
  value(name: string, labels?: Readonly<Record<string, string>>): number | undefined
}

const LINE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/
const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"(?:,|$)/y

export function parseExposition(text: string): Page {
  const series: Series[] = []
  const types = new Map<string, string>()
  for (const line of text.split('\n')) {
    const declared = /^# TYPE (\S+) (\S+)$/.exec(line)
    if (declared !== null) types.set(declared[1] ?? '', declared[2] ?? '')
    if (line === '' || line.startsWith('#')) continue
    const [, name, labels = '', value] = LINE.exec(line) ?? []
    if (name === undefined) throw new Error(`not a line of the exposition format: ${line}`)
    series.push({ name, labels: labelsOf(labels), value: Number(value === '+Inf' ? Infinity : value) })
  }
  return {
    series,
    types,
    value: (name, labels = {}) => {
      const found = series.filter(
        (each) => each.name === name && Object.entries(labels).every(([key, value]) => each.labels[key] === value),
      )
      if (found.length > 1) throw new Error(`${found.length} series of ${name} have these labels`)
      return found[0]?.value
    },
  }
}

function labelsOf(text: string): Record<string, string> {
  const labels: Record<string, string> = {}
  LABEL.lastIndex = 0
  while (LABEL.lastIndex < text.length) {
    const [, name = '', value = ''] = LABEL.exec(text) ?? []
    if (name === '') throw new Error(`not labels: ${text}`)
    labels[name] = value
  }
  return labels
}
