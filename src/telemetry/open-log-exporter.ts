import { type ExportResult, ExportResultCode } from '@opentelemetry/core'
import { OTLPExporterBase } from '@opentelemetry/otlp-exporter-base'
import { convertLegacyHttpOptions, createOtlpHttpExportDelegate } from '@opentelemetry/otlp-exporter-base/node-http'
import { LogsExporterMetricsHelper, ProtobufLogsSerializer } from '@opentelemetry/otlp-transformer'
import { detectResources, envDetector, resourceFromAttributes, serviceNameEnvDetector } from '@opentelemetry/resources'
import type { ReadableLogRecord } from '@opentelemetry/sdk-logs'
import type { AuditEvent } from '../domain/audit-event.ts'

const EXPORT_TIMEOUT_MS = 10_000

export interface LogExporterOptions {
  /** The base URL of an OTLP receiver that takes protobuf over HTTP. */
  readonly endpoint: string
  readonly version: string
}

/** Sends audit events as log records. The file is imported only if this sink is configured. */
export class AuditLogExporter {
  readonly #exporter: OTLPExporterBase<ReadableLogRecord[]>
  readonly #resource: ReadableLogRecord['resource']
  readonly #scope: ReadableLogRecord['instrumentationScope']

  constructor({ endpoint, version }: LogExporterOptions) {
    const options = {
      url: `${endpoint}${endpoint.endsWith('/') ? '' : '/'}v1/logs`,
      timeoutMillis: EXPORT_TIMEOUT_MS,
    }
    // What the exporter of OpenTelemetry consists of, in the version of the traces' own.
    this.#exporter = new OTLPExporterBase(
      createOtlpHttpExportDelegate(
        convertLegacyHttpOptions(options, 'LOGS', 'v1/logs', { 'Content-Type': 'application/x-protobuf' }),
        ProtobufLogsSerializer,
        'otlp_http_log_exporter',
        LogsExporterMetricsHelper,
        undefined,
      ),
    )
    this.#resource = resourceFromAttributes({ 'service.name': 'qscope', 'service.version': version }).merge(
      detectResources({ detectors: [envDetector, serviceNameEnvDetector] }),
    )
    this.#scope = { name: 'qscope.audit', version }
  }

  /** Resolves when the receiver has accepted them, and throws otherwise. */
  async send(events: readonly AuditEvent[]): Promise<void> {
    if (events.length === 0) return
    const { promise, resolve } = Promise.withResolvers<ExportResult>()
    this.#exporter.export(
      events.map((event) => this.#recordOf(event)),
      resolve,
    )
    const { code, error } = await promise
    if (code !== ExportResultCode.SUCCESS) throw error ?? new Error('the receiver of audit events refuses them')
  }

  async close(): Promise<void> {
    await this.#exporter.shutdown()
  }

  #recordOf(event: AuditEvent): ReadableLogRecord {
    const { eventId, type, rayId, clientId, userId, tokenId, grantId, actor, metadata, createdAt } = event
    const concerning = { client_id: clientId, user_id: userId, token_id: tokenId, grant_id: grantId }
    const present = Object.entries(concerning).flatMap(([name, value]) => (value === null ? [] : [[name, value]]))
    const named = Object.fromEntries([['event_id', eventId], ['ray_id', rayId], ['actor', actor], ...present])
    const time: ReadableLogRecord['hrTime'] = [Math.floor(createdAt / 1_000), (createdAt % 1_000) * 1_000_000]
    return {
      hrTime: time,
      hrTimeObserved: time,
      eventName: `qscope.${type}`,
      body: type,
      severityNumber: INFO,
      severityText: 'INFO',
      resource: this.#resource,
      instrumentationScope: this.#scope,
      attributes: {
        ...Object.fromEntries(Object.entries(named).map(([name, value]) => [`qscope.${name}`, value])),
        ...Object.fromEntries(Object.entries(metadata).map(([name, value]) => [`qscope.metadata.${name}`, value])),
      },
      droppedAttributesCount: 0,
    }
  }
}

/** SeverityNumber INFO of OpenTelemetry's log data model. */
const INFO = 9
