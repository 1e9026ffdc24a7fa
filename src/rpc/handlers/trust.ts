import type { CallContext } from '../../context.ts'
import type { FlowRunner } from '../../flows/runner.ts'
import {
  createTrustedIssuer,
  deleteTrustedIssuer,
  getTrustedIssuer,
  listTrustedIssuers,
} from '../../flows/trust/manage-trusted-issuers.ts'
import { testAssertion } from '../../flows/trust/test-assertion.ts'
import { updateTrustedIssuer } from '../../flows/trust/update-trusted-issuer.ts'
import type { TrustService } from '../../gen/qscope/v1/trust_service_pb.ts'
import { mapResult } from '../../results.ts'
import { fromAssertionUse, toTestedAssertion } from '../convert/tested-assertion.ts'
import { fromTrustedIssuer, toTrustedIssuer } from '../convert/trusted-issuer.ts'
import { fromUpdateTrustedIssuer } from '../convert/trusted-issuer-update.ts'
import type { AnswerOf, RequestOf, ServiceHandlers } from '../routes.ts'

type Methods = typeof TrustService.method
type Request<Name extends keyof Methods> = RequestOf<Methods[Name]>
type Answer<Name extends keyof Methods> = AnswerOf<Methods[Name]>

export class TrustHandlers implements ServiceHandlers<typeof TrustService> {
  readonly #runner: FlowRunner

  constructor(runner: FlowRunner) {
    this.#runner = runner
  }

  async createTrustedIssuer(
    ctx: CallContext,
    { trustedIssuer, validateOnly }: Request<'createTrustedIssuer'>,
  ): Answer<'createTrustedIssuer'> {
    const registration = fromTrustedIssuer(trustedIssuer)
    if (!registration.ok) return registration
    const creating = { registration: registration.value }
    if (validateOnly) {
      return mapResult(await this.#runner.preview(createTrustedIssuer, ctx, creating), ({ output }) => ({
        trustedIssuer: { ...toTrustedIssuer(output), etag: '' },
      }))
    }
    return mapResult(await this.#runner.execute(createTrustedIssuer, ctx, creating), (issuer) => ({
      trustedIssuer: toTrustedIssuer(issuer),
    }))
  }

  async getTrustedIssuer(ctx: CallContext, { issuer }: Request<'getTrustedIssuer'>): Answer<'getTrustedIssuer'> {
    return mapResult(await this.#runner.query(getTrustedIssuer, ctx, { issuer }), (found) => ({
      trustedIssuer: toTrustedIssuer(found),
    }))
  }

  async listTrustedIssuers(
    ctx: CallContext,
    { pageSize, pageToken, owner }: Request<'listTrustedIssuers'>,
  ): Answer<'listTrustedIssuers'> {
    const filter = { owner: owner || null }
    return mapResult(
      await this.#runner.query(listTrustedIssuers, ctx, { filter, pageSize, pageToken }),
      ({ items, nextPageToken }) => ({ trustedIssuers: items.map(toTrustedIssuer), nextPageToken }),
    )
  }

  async updateTrustedIssuer(ctx: CallContext, request: Request<'updateTrustedIssuer'>): Answer<'updateTrustedIssuer'> {
    const update = fromUpdateTrustedIssuer(request)
    if (!update.ok) return update
    if (!request.validateOnly) {
      return mapResult(await this.#runner.execute(updateTrustedIssuer, ctx, update.value), (issuer) => ({
        trustedIssuer: toTrustedIssuer(issuer),
      }))
    }
    // The answer includes the etag that the actual update must name.
    return mapResult(await this.#runner.preview(updateTrustedIssuer, ctx, update.value), ({ facts, output }) => ({
      trustedIssuer: toTrustedIssuer({ ...output, revision: facts.before.revision }),
    }))
  }

  async deleteTrustedIssuer(
    ctx: CallContext,
    { issuer, etag, validateOnly }: Request<'deleteTrustedIssuer'>,
  ): Answer<'deleteTrustedIssuer'> {
    const named = { issuer, etag: etag || null }
    return mapResult(
      validateOnly
        ? await this.#runner.preview(deleteTrustedIssuer, ctx, named)
        : await this.#runner.execute(deleteTrustedIssuer, ctx, named),
      () => ({}),
    )
  }

  async testAssertion(ctx: CallContext, { assertion, use }: Request<'testAssertion'>): Answer<'testAssertion'> {
    const question = { assertion, use: fromAssertionUse(use) }
    return mapResult(await this.#runner.query(testAssertion, ctx, question), toTestedAssertion)
  }
}
