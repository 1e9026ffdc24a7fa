import { type Client, createClient, type Interceptor, type StreamResponse } from '@connectrpc/connect'
import { createConnectTransport } from '@connectrpc/connect-web'
import { AuditService } from '../../../src/gen/qscope/v1/audit_service_pb.ts'
import { ClientService } from '../../../src/gen/qscope/v1/client_service_pb.ts'
import { DeviceService } from '../../../src/gen/qscope/v1/device_service_pb.ts'
import { KeyService } from '../../../src/gen/qscope/v1/key_service_pb.ts'
import { ServerService } from '../../../src/gen/qscope/v1/server_service_pb.ts'
import { TokenService } from '../../../src/gen/qscope/v1/token_service_pb.ts'
import { TrustService } from '../../../src/gen/qscope/v1/trust_service_pb.ts'
import { UserService } from '../../../src/gen/qscope/v1/user_service_pb.ts'
import { refusalOf } from './refusal.ts'

/** A call that is not answered in this time has failed. */
const DEADLINE_MS = 20_000
/** For calls that last as long as somebody watches. */
export const NO_DEADLINE = Object.freeze({ timeoutMs: 0 })

/** The services of the contract, as the token of a session may call them. */
export class Api {
  #token: string | null
  readonly audit: Client<typeof AuditService>
  readonly clients: Client<typeof ClientService>
  readonly devices: Client<typeof DeviceService>
  readonly keys: Client<typeof KeyService>
  readonly server: Client<typeof ServerService>
  readonly tokens: Client<typeof TokenService>
  readonly trust: Client<typeof TrustService>
  readonly users: Client<typeof UserService>

  /** `token`: `null` for calls that need none. `onRejected`: the server no longer accepts the token that calls bear now. */
  constructor(token: string | null, onRejected: () => void = () => undefined) {
    this.#token = token
    const transport = createConnectTransport({
      baseUrl: location.origin,
      useBinaryFormat: true,
      defaultTimeoutMs: DEADLINE_MS,
      // The browser would ask for a password where a refusal names Basic, and the call would wait for that.
      fetch: (input, init) => fetch(input, { ...init, credentials: 'omit' }),
      interceptors: [bearing(() => this.#token, onRejected)],
    })
    this.audit = createClient(AuditService, transport)
    this.clients = createClient(ClientService, transport)
    this.devices = createClient(DeviceService, transport)
    this.keys = createClient(KeyService, transport)
    this.server = createClient(ServerService, transport)
    this.tokens = createClient(TokenService, transport)
    this.trust = createClient(TrustService, transport)
    this.users = createClient(UserService, transport)
  }

  /** Further calls bear this token. */
  bear(token: string): void {
    this.#token = token
  }
}

function bearing(tokenNow: () => string | null, onRejected: () => void): Interceptor {
  return (next) => async (request) => {
    const token = tokenNow()
    if (token === null) return await next(request)
    const judge = (error: unknown): never => {
      if (refusalOf(error).endsSession && token === tokenNow()) onRejected()
      throw error
    }
    request.header.set('authorization', `Bearer ${token}`)
    const response = await next(request).catch(judge)
    return response.stream ? { ...response, message: judged(response.message, judge) } : response
  }
}

/** A stream's refusal comes while it is read, after the call itself has succeeded. */
async function* judged(
  messages: StreamResponse['message'],
  judge: (error: unknown) => never,
): StreamResponse['message'] {
  try {
    yield* messages
  } catch (error) {
    judge(error)
  }
}
