import { create } from '@bufbuild/protobuf'
import { expect, it } from 'vitest'
import { UpdateClientRequestSchema } from '../../src/gen/qscope/v1/client_service_pb.ts'
import { fromUpdateClient } from '../../src/rpc/convert/client-update.ts'

it.each([
  ['a secret', `qcs_${'a'.repeat(49)}`],
  ['the escapes of a terminal', 'scopes\u001b[2J'],
  ['a long text', 'x'.repeat(10_000)],
])('a refused path of an update mask is not repeated when it is %s', (_name, path) => {
  const request = create(UpdateClientRequestSchema, { client: { clientId: 'orders' }, updateMask: { paths: [path] } })
  expect(fromUpdateClient(request)).toMatchObject({
    ok: false,
    details: { violations: [{ field: 'update_mask', description: '…: is not a field' }] },
  })
})
