import type { CallContext } from '../../context.ts'
import { signingKeyId } from '../../domain/ids.ts'
import { withoutSecrets } from '../../domain/secret-text.ts'
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
import type { AnswerOf, RequestOf, ServiceHandlers } from '../routes.ts'

type Methods = typeof KeyService.method
type Request<Name extends keyof Methods> = RequestOf<Methods[Name]>
type Answer<Name extends keyof Methods> = AnswerOf<Methods[Name]>

export class KeyHandlers implements ServiceHandlers<typeof KeyService> {
  readonly #runner: FlowRunner

  constructor(runner: FlowRunner) {
    this.#runner = runner
  }

  async listSigningKeys(
    ctx: CallContext,
    { pageSize, pageToken, state }: Request<'listSigningKeys'>,
  ): Answer<'listSigningKeys'> {
    const filter = { state: fromSigningKeyState(state) }
    const listed = await this.#runner.query(listSigningKeys, ctx, { filter, pageSize, pageToken })
    return mapResult(listed, ({ items, nextPageToken }) => ({ keys: items.map(toSigningKey), nextPageToken }))
  }

  async prepareSigningKey(ctx: CallContext, { algorithm }: Request<'prepareSigningKey'>): Answer<'prepareSigningKey'> {
    return answer(await this.#runner.execute(prepareSigningKey, ctx, { algorithm: fromSigningAlgorithm(algorithm) }))
  }

  async activateSigningKey(ctx: CallContext, request: Request<'activateSigningKey'>): Answer<'activateSigningKey'> {
    return answer(await this.#runner.execute(activateSigningKey, ctx, named(request)))
  }

  async retireSigningKey(ctx: CallContext, request: Request<'retireSigningKey'>): Answer<'retireSigningKey'> {
    return answer(await this.#runner.execute(retireSigningKey, ctx, named(request)))
  }

  async revokeSigningKey(ctx: CallContext, request: Request<'revokeSigningKey'>): Answer<'revokeSigningKey'> {
    return answer(
      await this.#runner.execute(revokeSigningKey, ctx, { ...named(request), reason: withoutSecrets(request.reason) }),
    )
  }
}

function named(request: { readonly keyId: string }) {
  return { keyId: signingKeyId(request.keyId) }
}

function answer(result: Result<SigningKey>) {
  return mapResult(result, (key) => ({ key: toSigningKey(key) }))
}
