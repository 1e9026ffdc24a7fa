import type { ServerService } from '../../gen/qscope/v1/server_service_pb.ts'
import { success } from '../../results.ts'
import { toServerStatus } from '../convert/server-status.ts'
import type { AnswerOf, ServiceHandlers } from '../routes.ts'
import { type ServerCapabilities, serverMetadata } from '../server-metadata.ts'
import type { ServerStatusSource } from '../server-status.ts'

type Methods = typeof ServerService.method
type Answer<Name extends keyof Methods> = AnswerOf<Methods[Name]>

export interface ServerHandlersOptions {
  readonly capabilities: ServerCapabilities
  /** The URL of the HTTP port; `null` if it is off. */
  readonly httpUrl: string | null
  readonly status: ServerStatusSource
}

export class ServerHandlers implements ServiceHandlers<typeof ServerService> {
  readonly #capabilities: ServerCapabilities
  readonly #httpUrl: string | null
  readonly #status: ServerStatusSource

  constructor({ capabilities, httpUrl, status }: ServerHandlersOptions) {
    this.#capabilities = capabilities
    this.#httpUrl = httpUrl
    this.#status = status
  }

  async getServerMetadata(): Answer<'getServerMetadata'> {
    return success(serverMetadata(this.#capabilities, this.#httpUrl))
  }

  async getServerStatus(): Answer<'getServerStatus'> {
    return success(toServerStatus(await this.#status.read()))
  }
}
