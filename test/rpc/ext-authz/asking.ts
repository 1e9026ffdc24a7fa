import type { MessageInitShape } from '@bufbuild/protobuf'
import type { AttributeContextSchema } from '../../../src/gen/envoy/service/auth/v3/attribute_context_pb.ts'
import type { CheckResponse } from '../../../src/gen/envoy/service/auth/v3/external_auth_pb.ts'

export const AUDIENCE = 'https://orders.example'

export type Attributes = MessageInitShape<typeof AttributeContextSchema>

/** As Envoy tells a request. */
export const asking = (
  headers: Readonly<Record<string, string>>,
  contextExtensions: Readonly<Record<string, string>> = {},
): Attributes => ({
  request: { http: { method: 'GET', path: '/orders', headers: { ...headers } } },
  contextExtensions: { audience: AUDIENCE, ...contextExtensions },
})

/** What matters in an answer. */
export function decisionOf({ status, httpResponse }: CheckResponse) {
  if (httpResponse.case === 'okResponse') {
    const { headers, headersToRemove } = httpResponse.value
    return { code: status?.code, set: headerMap(headers), removed: [...headersToRemove].sort() }
  }
  const { value } = httpResponse
  return { code: status?.code, http: value?.status?.code, set: headerMap(value?.headers ?? []), body: value?.body }
}

const headerMap = (
  headers: readonly { readonly header?: { readonly key: string; readonly value: string } | undefined }[],
): Record<string, string | undefined> => Object.fromEntries(headers.map(({ header }) => [header?.key, header?.value]))
