import type { SyntaxNode } from '@lezer/common'
import { parser } from '@prometheus-io/lezer-promql'

/** A selector of a query, such as `name{label="value"}`. */
export interface Selector {
  readonly metric: string
  readonly matchers: readonly { readonly label: string; readonly operator: string; readonly value: string }[]
}

/** The metrics and labels of a query. */
export interface Query {
  readonly selectors: readonly Selector[]
  /** The labels that results are grouped or matched by. */
  readonly groupings: readonly string[]
}

/** Parses a query with the grammar of Prometheus. Throws if it is invalid. */
export function readQuery(text: string): Query {
  const selectors: Selector[] = []
  const groupings: string[] = []
  const of = (node: SyntaxNode | null) => (node === null ? '' : text.slice(node.from, node.to))
  parser.parse(text).iterate({
    enter: ({ node, type }) => {
      if (type.isError) throw new Error(`at ${node.from}, not PromQL: ${text}`)
      if (type.name === 'VectorSelector') {
        const matchers = node.getChild('LabelMatchers')?.getChildren('UnquotedLabelMatcher') ?? []
        selectors.push({
          metric: of(node.getChild('Identifier')),
          matchers: matchers.map((matcher) => ({
            label: of(matcher.getChild('LabelName')),
            operator: of(matcher.getChild('MatchOp')),
            value: of(matcher.getChild('StringLiteral')).slice(1, -1),
          })),
        })
      }
      if (type.name === 'GroupingLabels') groupings.push(...node.getChildren('LabelName').map(of))
    },
  })
  return { selectors, groupings }
}
