import { describe, expectTypeOf, it } from 'vitest'
import type { Client } from '../src/domain/client.ts'
import type { ClientId, TokenId } from '../src/domain/ids.ts'
import { type Effect, given, postcondition } from '../src/flows/condition.ts'
import { callerIsClient, grantIsAllowed } from '../src/flows/conditions/caller.ts'
import { audiencesAreAllowed, scopesAreAllowed, type TokenRequest } from '../src/flows/conditions/request.ts'
import { defineFlow, query, reservation } from '../src/flows/flow.ts'
import { fail, HOLDS } from '../src/results.ts'
import type { TransactionStores } from '../src/stores/contract/backend.ts'

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

  it('let a postcondition and the effect of a refusal touch their stores only', () => {
    postcondition<object, TransactionStores>('early', (ctx) => {
      // @ts-expect-error a rollback would not undo what a service did
      ctx.services.limits.devicePolls.take('x', ctx.now)
      expectTypeOf(ctx.stores).toEqualTypeOf<TransactionStores>()
      return HOLDS
    })
    const effect: Effect = async (ctx) => {
      // @ts-expect-error likewise
      ctx.services.limits.devicePolls.take('x', ctx.now)
      return undefined
    }
    expectTypeOf(effect).toBeFunction()
  })

  it('let a flow of the append lane write what only adds rows', () => {
    const touches = postcondition<object, TransactionStores>('touches', () => HOLDS)
    const flow = { name: 'x', lane: 'append', preconditions: given<object>(), run: () => null } as const
    // @ts-expect-error an entry of a group commit decides no races
    defineFlow({ ...flow, postconditions: [touches] })
  })

  it('let a query only read', () => {
    const reading = { name: 'x', preconditions: given<object>(), answer: () => null }
    // @ts-expect-error what writes is a flow
    query({ ...reading, postconditions: [] })
    query({
      ...reading,
      // @ts-expect-error the stores of a query have no writes
      answer: (ctx) => ctx.stores.users.insert,
    })
  })

  it('ask of a reservation how it is given back, or that it is not', () => {
    const spent = { name: 'x', take: () => HOLDS }
    // @ts-expect-error it must say so
    reservation<object>(spent)
    reservation<object>({ ...spent, release: null })
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
