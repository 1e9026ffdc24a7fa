import type { DescMessage, MessageInitShape, MessageShape } from '@bufbuild/protobuf'
import { type App, openApp } from '../../app/app.ts'
import { assertDatabaseExists } from '../../app/database.ts'
import { openKeyring, openKeyringFile } from '../../app/keyring.ts'
import { AppCalls } from './app-calls.ts'
import { type CallCredentials, CallFailure, type Calls, type StreamMethod, type UnaryMethod } from './calls.ts'
import { openLog, readConfig } from './environment.ts'

export interface LocalCallsOptions {
  /** Whether the command only reads, so that no keyring file is created. */
  readonly readsOnly: boolean
  /** Whether the answer needs a key of the keyring, which must then exist. */
  readonly needsKeyringFile: boolean
  /** Whether the command fails if the keyring lacks a key that the database refers to. */
  readonly requiresKeys: boolean
}

/** Calls in this process, on the database itself, as its operator. */
export class LocalCalls implements Calls {
  readonly #app: App
  readonly #calls: AppCalls
  /** The reason why the database is read-only, such as a full disk. `null`: it is writable. */
  readonly #readOnlyProblem: string | null
  /** Its URL, secrets masked. */
  readonly database: string

  private constructor(app: App, credentials: CallCredentials, readOnlyProblem: string | null, database: string) {
    this.#app = app
    this.#calls = new AppCalls(app, credentials)
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
    // A client that fails to authenticate causes an audit event, which is sealed with a key.
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
    return this.#calls.hasClient
  }

  get bearer(): string | null {
    return this.#calls.bearer
  }

  get authenticatesClient(): boolean {
    return this.#calls.authenticatesClient
  }

  async call<Input extends DescMessage, Output extends DescMessage>(
    method: UnaryMethod<Input, Output>,
    request: MessageInitShape<Input>,
  ): Promise<MessageShape<Output>> {
    try {
      return await this.#calls.call(method, request)
    } catch (error) {
      const isUnavailable = error instanceof CallFailure && error.refusal.reason === 'OAUTH_TEMPORARILY_UNAVAILABLE'
      if (this.#readOnlyProblem !== null && isUnavailable) throw new Error(this.#readOnlyProblem)
      throw error
    }
  }

  stream<Input extends DescMessage, Output extends DescMessage>(
    method: StreamMethod<Input, Output>,
    request: MessageInitShape<Input>,
    signal: AbortSignal,
  ): AsyncGenerator<MessageShape<Output>, void, void> {
    return this.#calls.stream(method, request, signal)
  }

  async close(): Promise<void> {
    await this.#app.close()
  }
}
