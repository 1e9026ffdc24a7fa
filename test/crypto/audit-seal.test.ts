import { expect, test } from 'vitest'
import { eventHash, exportMac, headMac, registryTotal } from '../../src/crypto/audit-seal.ts'
import { drawKeySet, Keyring, keyMaterialOf } from '../../src/crypto/keyring.ts'
import { type AuditEvent, NO_HASH, recordOf } from '../../src/domain/audit-event.ts'
import { auditEventId, clientId, epochMs, keyId, tokenId } from '../../src/domain/ids.ts'

const KEY = keyId('audit-00000001')
const WRITER = '0190a000-0000-7000-8000-000000000001'
const keys = {
  active: KEY,
  keys: new Map([[KEY, Buffer.from(Array.from({ length: 32 }, (_, n) => n))]]),
  created: new Map(),
}
const keyring = new Keyring(keyMaterialOf((purpose) => (purpose === 'audit' ? keys : drawKeySet(purpose))))

/**
 * The values were computed by another program: HMAC-SHA-256 of the JSON lists. A change of them breaks the verification of
 * every log that was written before.
 */
test('logs of earlier versions stay verifiable: the texts that the audit key signs do not change', () => {
  const event: AuditEvent = {
    eventId: auditEventId('0190a000-0000-7000-8000-000000000002'),
    type: 'token.issued',
    rayId: 'ray-1',
    clientId: clientId('orders'),
    userId: null,
    tokenId: tokenId('0190a000-0000-7000-8000-000000000003'),
    grantId: null,
    actor: 'client:orders',
    metadata: { scope: 'a "ü"', grant_type: 'client_credentials' },
    createdAt: epochMs(1_764_720_000_000),
  }
  const record = recordOf(event, { writerId: WRITER, sequence: 1, previousHash: NO_HASH, keyId: KEY })
  const hash = eventHash(keyring, record)
  expect(hash.toString('hex')).toBe('ca3e273ba03bcda6cb58497bde9859a7d52842f05d3f545d6660da731a926d30')
  const writer = { ordinal: 1, writerId: WRITER }
  expect(headMac(keyring, { ...writer, sequence: 1, hash, keyId: KEY }).toString('hex')).toBe(
    'd7d4f35f917607ed40daafcf0a0224578373d707ad517f39663817abaf568cc1',
  )
  expect(registryTotal(keyring, KEY, NO_HASH, writer).toString('hex')).toBe(
    '9021ec1ba07fc13ebf80c1740044d66b2850a79f1dbcbac89ce02f68ad0affe9',
  )
  expect(exportMac(keyring, KEY, '{"sequence":1}').toString('hex')).toBe(
    'ab1c7b0d42d01105c1e72f16fa0c8e69e9dc39028a8130aa4c78d5e284c91c85',
  )
})
