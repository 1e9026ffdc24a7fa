/** What is told of a span beside its name: never a secret, nor what a caller may choose freely. */
export type SpanFacts = Readonly<Record<string, string | number | boolean>>

/** A stretch of work, as traces tell it. What is not traced has none, so that every use is `span?.…`. */
export interface Span {
  /** Names the trace in log lines. */
  readonly traceId: string
  /** Begins a part of it on a database. `sharers` are others whose work it does as well; they are linked. */
  beginQuery(name: string, facts: SpanFacts, sharers?: readonly Span[]): Span
  /** Notes that something happened now. */
  note(event: string, facts: SpanFacts): void
  /** Ends it, once. `failure` names what went wrong, in a word of a closed set; `null`: nothing did. */
  end(failure: string | null, facts?: SpanFacts): void
}
