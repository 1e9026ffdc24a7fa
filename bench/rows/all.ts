import type { RowName } from '../cells.ts'
import { batchIntrospect, introspect, introspectGarbage, introspectRevoked, verify } from './checks.ts'
import { mint, mintJwt } from './mints.ts'
import { refresh } from './refresh.ts'
import { revoke } from './revoke.ts'
import type { Row } from './row.ts'

export const rows = Object.freeze({
  introspect,
  'introspect-revoked': introspectRevoked,
  'introspect-garbage': introspectGarbage,
  verify,
  'batch-introspect': batchIntrospect,
  mint,
  'mint-jwt': mintJwt,
  refresh,
  revoke,
} satisfies Record<RowName, Row>)
