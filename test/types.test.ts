import { describe, expectTypeOf, it } from 'vitest'
import type { Client } from '../src/domain/client.ts'
import type { ClientId, TokenId } from '../src/domain/ids.ts'
import { given } from '../src/flows/condition.ts'
import { callerIsClient, grantIsAllowed } from '../src/flows/conditions/caller.ts'
import { audiencesAreAllowed, scopesAreAllowed, type TokenRequest } from '../src/flows/conditions/request.ts'
import { fail } from '../src/results.ts'

/**
 * What must not compile. Each case states the type that makes it so; a directive
 * that expects an error fails the type check when there is none.
 */
describe('types', () => {
  it('let a condition follow only what establishes its needs', () => {
    const chain = given<TokenRequest>().and(callerIsClient)
    expectTypeOf(chain.and<object>)
      .parameter(0)
      .not.toExtend<never>()
    // @ts-expect-error the audiences are judged by the scopes, which nobody has established
    chain.and(audiencesAreAllowed)
    // @ts-expect-error no client is known yet
    given<TokenRequest>().and(grantIsAllowed('client_credentials'))
    expectTypeOf(chain.and(scopesAreAllowed).and(audiencesAreAllowed).check).returns.resolves.toBeObject()
  })

  it('keep identifiers apart', () => {
    expectTypeOf<ClientId>().not.toExtend<TokenId>()
    expectTypeOf<string>().not.toExtend<ClientId>()
  })

  it('ask every failure for the details of its row', () => {
    // @ts-expect-error the row demands field violations
    fail('oauth.invalid_request')
    // @ts-expect-error the row demands the rejected scopes
    fail('oauth.invalid_scope', { metadata: { rejected: 'x' } })
    // @ts-expect-error there is no such row
    fail('oauth.invalid')
    fail('oauth.invalid_client')
  })

  it('keep domain values as they were read', () => {
    expectTypeOf<Client['scopes']>().toEqualTypeOf<readonly string[]>()
    const change = (client: Client) => {
      // @ts-expect-error a client is readonly
      client.enabled = false
    }
    expectTypeOf(change).toBeFunction()
  })
})
