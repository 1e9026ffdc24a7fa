import type { Config } from '../../config/config.ts'
import type { AuditEvent } from '../../domain/audit-event.ts'
import type { AuditLogExporter, LogExporterOptions } from '../../telemetry/open-log-exporter.ts'
import type { AuditProjection } from '../jobs/audit-follower.ts'
import { JsonLinesFile, JsonLinesOutput } from './json-lines-sink.ts'

const STANDARD_OUTPUT = '-'

/** The configured sinks of audit events. */
export function configuredSinks(
  { auditSinks }: Pick<Config, 'auditSinks'>,
  version: string,
): readonly AuditProjection[] {
  const { file, otlpEndpoint } = auditSinks
  return [
    ...(file === null
      ? []
      : [file === STANDARD_OUTPUT ? new JsonLinesOutput(process.stdout) : new JsonLinesFile(file)]),
    ...(otlpEndpoint === null ? [] : [new OtlpSink({ endpoint: otlpEndpoint, version })]),
  ]
}

/** Sends events to a collector. Loads OpenTelemetry's code with the first event. */
class OtlpSink implements AuditProjection {
  readonly name = 'audit-otlp'
  readonly #options: LogExporterOptions
  #exporter: Promise<AuditLogExporter> | null = null

  constructor(options: LogExporterOptions) {
    this.#options = options
  }

  async deliver(events: readonly AuditEvent[]): Promise<void> {
    this.#exporter ??= this.#open()
    await (await this.#exporter).send(events)
  }

  async #open(): Promise<AuditLogExporter> {
    const { AuditLogExporter: Exporter } = await import('../../telemetry/open-log-exporter.ts')
    return new Exporter(this.#options)
  }
}
