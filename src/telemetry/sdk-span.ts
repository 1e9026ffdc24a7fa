import {
  type Context,
  type Span as Sdk,
  type Tracer as SdkTracer,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api'
import type { Span, SpanFacts } from '../trace.ts'

/** A span of OpenTelemetry's SDK. Its context travels in the call's, so nothing is kept per asynchronous task. */
export class SdkSpan implements Span {
  readonly traceId: string
  readonly #tracer: SdkTracer
  readonly #parent: Context
  readonly #span: Sdk

  /** `parent`: the context that the span was begun in. */
  constructor(tracer: SdkTracer, parent: Context, span: Sdk) {
    this.traceId = span.spanContext().traceId
    this.#tracer = tracer
    this.#parent = parent
    this.#span = span
  }

  beginQuery(name: string, facts: SpanFacts, sharers: readonly Span[] = []): Span {
    const links = sharers.flatMap((sharer) =>
      sharer instanceof SdkSpan ? [{ context: sharer.#span.spanContext() }] : [],
    )
    const context = trace.setSpan(this.#parent, this.#span)
    const span = this.#tracer.startSpan(name, { kind: SpanKind.CLIENT, attributes: facts, links }, context)
    // So that a call whose work was done in another's trace can be followed there.
    for (const sharer of sharers) {
      if (sharer instanceof SdkSpan) sharer.#span.addLink({ context: span.spanContext() })
    }
    return new SdkSpan(this.#tracer, context, span)
  }

  note(event: string, facts: SpanFacts): void {
    this.#span.addEvent(event, facts)
  }

  end(failure: string | null, facts: SpanFacts = {}): void {
    this.#span.setAttributes(facts)
    if (failure !== null) {
      this.#span.setAttribute('error.type', failure)
      this.#span.setStatus({ code: SpanStatusCode.ERROR })
    }
    this.#span.end()
  }
}
