import { auditEvent } from '../../audit-event.ts'
import type { AuditEvent } from '../../domain/audit-event.ts'
import type { IssuerRegistration } from '../../domain/trusted-issuer.ts'

/** In characters. The log should not contain long lists. */
const MOST_SHOWN = 1_000

/** The audited facts of an issuer: where its keys are, and for which clients its assertions are accepted. */
function summary({ issuer, kind, keys, rules }: IssuerRegistration) {
  const clients = [...new Set(rules.map(({ clientId }) => clientId))].sort().join(' ')
  return {
    issuer,
    kind,
    keys: keys.kind === 'url' ? keys.url : keys.kind,
    clients: clients.length > MOST_SHOWN ? `${clients.slice(0, MOST_SHOWN)}…` : clients,
  }
}

type Ctx = Parameters<typeof auditEvent>[0]

export function createdEvent(ctx: Ctx, issuer: IssuerRegistration): AuditEvent {
  return auditEvent(ctx, 'trust.issuer_created', { metadata: summary(issuer) })
}

/** `fields`: the fields whose values changed. */
export function updatedEvent(ctx: Ctx, issuer: IssuerRegistration, fields: readonly string[]): AuditEvent {
  return auditEvent(ctx, 'trust.issuer_updated', { metadata: { ...summary(issuer), fields: fields.join(' ') } })
}

export function deletedEvent(ctx: Ctx, issuer: IssuerRegistration): AuditEvent {
  return auditEvent(ctx, 'trust.issuer_deleted', { metadata: summary(issuer) })
}
