import { create, type DescMessage, type MessageInitShape, type MessageShape } from '@bufbuild/protobuf'
import { type App, openApp } from '../../app/app.ts'
import { assertDatabaseExists } from '../../app/database.ts'
import { openKeyring, openKeyringFile } from '../../app/keyring.ts'
import { uuidV7 } from '../../crypto/random.ts'
import { registry } from '../../errors/registry.ts'
import type { FailedResult } from '../../results.ts'
import { operatorCallInfo } from '../../rpc/call-info.ts'
import { reasonOf, sentenceOf } from '../../rpc/rpc-status.ts'
import {
  type CallCredentials,
  CallFailure,
  type Calls,
  type StreamMethod,
  type UnaryMethod,
  withClientCredentials,
} from './calls.ts'
import { openLog, readConfig } from './environment.ts'

export interface LocalCallsOptions {
  /** Whether the command only reads, and so creates no keyring file. */
  readonly readsOnly: boolean
  /** Whether the answer is made with a key of the keyring, which must exist then. */
  readonly needsKeyringFile: boolean
  /** Whether the command refuses to work while the keyring lacks a key that the database refers to. */
  readonly requiresKeys: boolean
}

/** Calls in this process, on the database itself, as its operator. */
export class LocalCalls implements Calls {
  readonly #app: App
  readonly #credentials: CallCredentials
  /** Why the database can be read but not written, such as a full disk; `null`: it can be written. */
  readonly #readOnlyProblem: string | null
  /** Its URL, secrets masked. */
  readonly database: string

  private constructor(app: App, credentials: CallCredentials, readOnlyProblem: string | null, database: string) {
    this.#app = app
    this.#credentials = credentials
    this.#readOnlyProblem = readOnlyProblem
    this.database = database
  }

  static async open(
    credentials: CallCredentials,
    { readsOnly, needsKeyringFile, requiresKeys }: LocalCallsOptions,
  ): Promise<LocalCalls> {
    const config = readConfig()
    const log = openLog(config, { quiet: true })
    assertDatabaseExists(config)
    // A client that fails to authenticate leaves an audit event, which is sealed with a key.
    const ifMissing = readsOnly && credentials.client === null ? 'provisional' : 'create'
    const keyring =
      needsKeyringFile && config.keyringFile !== null
        ? openKeyringFile(config)
        : await openKeyring(config, log, ifMissing)
    const app = await openApp(config, log, keyring)
    try {
      const health = await app.backend.check()
      if (!health.serving && !health.readable) throw new Error(health.problem)
      app.state.setServing(health.serving)
      if (requiresKeys) await app.checkKeys()
      const database = config.settings.find(({ name }) => name === 'QSCOPE_DATABASE_URL')?.value ?? ''
      return new LocalCalls(app, credentials, health.serving ? null : health.problem, database)
    } catch (error) {
      await app.close()
      throw error
    }
  }

  get hasClient(): boolean {
    return this.#credentials.client !== null
  }

  get bearer(): string | null {
    return this.#credentials.bearer
  }

  get authenticatesClient(): boolean {
    return this.#credentials.client !== null
  }

  async call<Input extends DescMessage, Output extends DescMessage>(
    method: UnaryMethod<Input, Output>,
    request: MessageInitShape<Input>,
  ): Promise<MessageShape<Output>> {
    const rayId = uuidV7()
    const message = create(method.input, withClientCredentials(method, request, this.#credentials))
    const result = await this.#app.pipeline.call(method, operatorCallInfo(rayId), message)
    if (result.ok) return result.value
    if (this.#readOnlyProblem !== null && result.code === 'oauth.temporarily_unavailable') {
      throw new Error(this.#readOnlyProblem)
    }
    throw callFailure(result, rayId)
  }

  async *stream<Input extends DescMessage, Output extends DescMessage>(
    method: StreamMethod<Input, Output>,
    request: MessageInitShape<Input>,
    signal: AbortSignal,
  ): AsyncGenerator<MessageShape<Output>, void, void> {
    const rayId = uuidV7()
    const message = create(method.input, request)
    try {
      for await (const item of this.#app.pipeline.stream(method, operatorCallInfo(rayId, signal), message)) {
        if (!item.ok) throw callFailure(item, rayId)
        yield item.value
      }
    } catch (error) {
      if (!signal.aborted) throw error
    }
  }

  async close(): Promise<void> {
    await this.#app.close()
  }
}

function callFailure(failed: FailedResult, rayId: string): CallFailure {
  const { code, details } = failed
  const { violations = [], metadata = {} } = details
  return new CallFailure({
    reason: reasonOf(code),
    status: registry[code].status,
    description: sentenceOf(failed),
    violations,
    metadata,
    rayId,
  })
}
