import { signingKeyId } from '../../domain/ids.ts'
import { withoutSecrets } from '../../domain/masked-text.ts'
import type { SigningKey } from '../../domain/signing-key.ts'
import {
  activateSigningKey,
  listSigningKeys,
  retireSigningKey,
  revokeSigningKey,
} from '../../flows/keys/manage-signing-keys.ts'
import { prepareSigningKey } from '../../flows/keys/prepare-signing-key.ts'
import type { FlowRunner } from '../../flows/runner.ts'
import type { KeyService } from '../../gen/qscope/v1/key_service_pb.ts'
import { mapResult, type Result } from '../../results.ts'
import { fromSigningAlgorithm, fromSigningKeyState, toSigningKey } from '../convert/signing-key.ts'
import type { ServiceHandlers } from '../routes.ts'

export function keyHandlers(runner: FlowRunner): ServiceHandlers<typeof KeyService> {
  const named = (request: { readonly keyId: string }) => ({ keyId: signingKeyId(request.keyId) })
  const answer = (result: Result<SigningKey>) => mapResult(result, (key) => ({ key: toSigningKey(key) }))

  return {
    async listSigningKeys(ctx, { pageSize, pageToken, state }) {
      const filter = { state: fromSigningKeyState(state) }
      const listed = await runner.query(listSigningKeys, ctx, { filter, pageSize, pageToken })
      return mapResult(listed, ({ items, nextPageToken }) => ({ keys: items.map(toSigningKey), nextPageToken }))
    },
    async prepareSigningKey(ctx, { algorithm }) {
      return answer(await runner.execute(prepareSigningKey, ctx, { algorithm: fromSigningAlgorithm(algorithm) }))
    },
    async activateSigningKey(ctx, request) {
      return answer(await runner.execute(activateSigningKey, ctx, named(request)))
    },
    async retireSigningKey(ctx, request) {
      return answer(await runner.execute(retireSigningKey, ctx, named(request)))
    },
    async revokeSigningKey(ctx, request) {
      return answer(
        await runner.execute(revokeSigningKey, ctx, { ...named(request), reason: withoutSecrets(request.reason) }),
      )
    },
  }
}
