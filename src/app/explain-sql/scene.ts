import { AssertionExaminer } from '../../auth/assertion-examiner.ts'
import { backgroundContext, type CallContext, type Caller, type Logger } from '../../context.ts'
import { randomBytes, uuidV7 } from '../../crypto/random.ts'
import type { AuditEvent } from '../../domain/audit-event.ts'
import type { AuditPosition } from '../../domain/audit-position.ts'
import type { Client } from '../../domain/client.ts'
import { clientId, type EpochMs, epochMs } from '../../domain/ids.ts'
import type { SigningKey } from '../../domain/signing-key.ts'
import type { User } from '../../domain/user.ts'
import { drawClientId, type RegisteredClient } from '../../flows/clients/register-client.ts'
import type { StartedDeviceAuthorization } from '../../flows/devices/start-device-authorization.ts'
import type { IssuedAuthorizationCode } from '../../flows/grants/create-authorization-code.ts'
import type { IssuedTokens } from '../../flows/grants/issue-tokens.ts'
import { FlowRunner } from '../../flows/runner.ts'
import { success } from '../../results.ts'
import type { App } from '../app.ts'
import { SampleIssuer, SampleIssuers } from './sample-issuer.ts'

/** The scopes of the sample clients. */
export const SCOPES: readonly string[] = Object.freeze(['orders.read', 'orders.write'])

/** A value that one step provides to later ones. */
class Prop<T> {
  readonly #name: string
  #value: T | null = null

  constructor(name: string) {
    this.#name = name
  }

  get(): T {
    if (this.#value === null) throw new Error(`no step before this one has left ${this.#name}`)
    return this.#value
  }

  readonly set = (value: T): void => {
    this.#value = value
  }
}

/** The sample clients, users and tokens that the steps create and use. */
export class Scene {
  readonly app: App
  readonly service = new Prop<RegisteredClient>('a client')
  readonly resource = new Prop<RegisteredClient>('a resource server')
  readonly rotating = new Prop<RegisteredClient>('a client that rotates its secrets')
  readonly device = new Prop<RegisteredClient>('a public client')
  readonly user = new Prop<User>('a user')
  readonly assertion = new Prop<string>('an assertion')
  readonly registeredIssuer = new Prop<string>('a trusted issuer')
  readonly code = new Prop<IssuedAuthorizationCode>('an authorization code')
  readonly own = new Prop<IssuedTokens>("a client's own token")
  readonly family = new Prop<IssuedTokens>('the tokens of a grant')
  readonly successor = new Prop<IssuedTokens>('the tokens of a refresh')
  readonly started = new Prop<StartedDeviceAuthorization>('a device authorization')
  readonly event = new Prop<AuditEvent>('an audit event')
  readonly auditEnd = new Prop<AuditPosition>('where the audit log ends')
  readonly key = new Prop<SigningKey>('a signing key')
  readonly nextPage = new Prop<string>('a page token')
  /** Its assertions authenticate the client. */
  readonly issuer: SampleIssuer
  readonly runner: FlowRunner
  /** The user's external id. */
  readonly externalId = `sample-${randomBytes(8).toString('hex')}`
  /** RFC 7636 §4.1, for all authorization codes. */
  readonly codeVerifier = randomBytes(32).toString('base64url')
  readonly log: Logger
  #now = epochMs(Date.now())

  private constructor(app: App, log: Logger, issuer: SampleIssuer) {
    this.app = app
    this.issuer = issuer
    this.log = log
    const trustedIssuers = new SampleIssuers(issuer, app.trustedIssuers)
    const assertionExaminer = new AssertionExaminer({ trustedIssuers, issuer: app.services.issuer })
    this.runner = new FlowRunner(app.backend, { ...app.services, trustedIssuers, assertionExaminer })
  }

  static async open(app: App, log: Logger): Promise<Scene> {
    return new Scene(app, log, await SampleIssuer.draw(clientId(drawClientId()), SCOPES, app.services.issuer))
  }

  /** The time of the calls. */
  get now(): EpochMs {
    return this.#now
  }

  /** Sets the time of later calls. */
  set now(moment: number) {
    this.#now = epochMs(moment)
  }

  context(caller: Caller): CallContext {
    const background = backgroundContext(uuidV7(), this.log, this.#now)
    return { ...background, caller, reauthenticate: async () => success(caller), peer: 'local', certificate: null }
  }
}

export const OPERATOR: Caller = Object.freeze({ kind: 'operator' })

export function asClient(client: Client): Caller {
  return Object.freeze({ kind: 'client', client, certificate: null, secretId: null })
}
