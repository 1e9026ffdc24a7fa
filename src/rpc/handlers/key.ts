import { signingKeyId } from '../../domain/ids.ts'
import { withoutSecrets } from '../../domain/secret-text.ts'
import type { SigningKey } from '../../domain/signing-key.ts'
import { activateSigningKey } from '../../flows/keys/activate-signing-key.ts'
import { listSigningKeys } from '../../flows/keys/list-signing-keys.ts'
import { prepareSigningKey } from '../../flows/keys/prepare-signing-key.ts'
import { retireSigningKey } from '../../flows/keys/retire-signing-key.ts'
import { revokeSigningKey } from '../../flows/keys/revoke-signing-key.ts'
import type { FlowRunner } from '../../flows/runner.ts'
import type { KeyService } from '../../gen/qscope/v1/key_service_pb.ts'
import { mapResult, type Result } from '../../results.ts'
import { fromSigningAlgorithm, fromSigningKeyState, toSigningKey } from '../convert/signing-key.ts'
import type { ServiceHandlers } from '../routes.ts'

export function keyHandlers({ execute }: FlowRunner): ServiceHandlers<typeof KeyService> {
  const named = (request: { readonly keyId: string }) => ({ keyId: signingKeyId(request.keyId) })
  const answer = (result: Result<SigningKey>) => mapResult(result, (key) => ({ key: toSigningKey(key) }))

  return {
    async listSigningKeys(ctx, { pageSize, pageToken, state }) {
      const filter = { state: fromSigningKeyState(state) }
      const listed = await execute(listSigningKeys, ctx, { filter, pageSize, pageToken })
      return mapResult(listed, ({ items, nextPageToken }) => ({ keys: items.map(toSigningKey), nextPageToken }))
    },
    async prepareSigningKey(ctx, { algorithm }) {
      return answer(await execute(prepareSigningKey, ctx, { algorithm: fromSigningAlgorithm(algorithm) }))
    },
    async activateSigningKey(ctx, request) {
      return answer(await execute(activateSigningKey, ctx, named(request)))
    },
    async retireSigningKey(ctx, request) {
      return answer(await execute(retireSigningKey, ctx, named(request)))
    },
    async revokeSigningKey(ctx, request) {
      return answer(await execute(revokeSigningKey, ctx, { ...named(request), reason: withoutSecrets(request.reason) }))
    },
  }
}
