import type { ServerService } from '../../gen/qscope/v1/server_service_pb.ts'
import { success } from '../../results.ts'
import type { AnswerOf, ServiceHandlers } from '../routes.ts'
import { type ServerCapabilities, serverMetadata } from '../server-metadata.ts'

type Methods = typeof ServerService.method
type Answer<Name extends keyof Methods> = AnswerOf<Methods[Name]>

export class ServerHandlers implements ServiceHandlers<typeof ServerService> {
  readonly #capabilities: ServerCapabilities
  readonly #httpUrl: string | null

  /** `httpUrl`: where callers reach the HTTP port; `null`: there is none. */
  constructor(capabilities: ServerCapabilities, httpUrl: string | null) {
    this.#capabilities = capabilities
    this.#httpUrl = httpUrl
  }

  async getServerMetadata(): Answer<'getServerMetadata'> {
    return success(serverMetadata(this.#capabilities, this.#httpUrl))
  }
}
