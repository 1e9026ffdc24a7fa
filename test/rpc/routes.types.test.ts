import { describe, expect, it } from 'vitest'
import { AuditService } from '../../src/gen/qscope/v1/audit_service_pb.ts'
import { success } from '../../src/results.ts'
import { route } from '../../src/rpc/routes.ts'

const events = async () => success({})
async function* streamed() {
  yield success({})
}
const others = {
  getAuditEvent: events,
  watchAuditEvents: streamed,
  verifyAuditLog: events,
  exportAuditHead: events,
}

describe('handlers that do not fit', () => {
  it('do not compile when one is missing, and do not start either', () => {
    // @ts-expect-error getAuditEvent is missing
    expect(() => route(AuditService, { listAuditEvents: events })).toThrow('GetAuditEvent has no handler')
  })

  it('do not compile when one answers with another message', () => {
    // @ts-expect-error a page token is text
    route(AuditService, { listAuditEvents: async () => success({ nextPageToken: 1 }), ...others })
    // @ts-expect-error there is no such method
    route(AuditService, { listAuditEvents: events, ...others, deleteAuditEvent: events })
  })

  it('do not compile when a class has a public method that the service has not', () => {
    class Fitting {
      readonly listAuditEvents = events
      readonly getAuditEvent = events
      readonly watchAuditEvents = streamed
      readonly verifyAuditLog = events
      readonly exportAuditHead = events
      #notForCallers = 0
      get count(): number {
        return this.#notForCallers
      }
    }
    // @ts-expect-error there is no such method
    route(AuditService, new Fitting())
  })

  it('keep their `this`', async () => {
    class Numbered {
      readonly #token = 'next'
      async listAuditEvents() {
        return success({ nextPageToken: this.#token })
      }
      readonly getAuditEvent = events
      readonly watchAuditEvents = streamed
      readonly verifyAuditLog = events
      readonly exportAuditHead = events
    }
    const [first] = route(AuditService, new Numbered())
    const { handle } = first ?? {}
    await expect(Promise.resolve(Reflect.apply(handle ?? events, undefined, []))).resolves.toEqual(
      success({ nextPageToken: 'next' }),
    )
  })
})
