import type {
  DescMessage,
  DescMethod,
  DescMethodServerStreaming,
  DescMethodUnary,
  DescService,
  Message,
  MessageInitShape,
  MessageShape,
} from '@bufbuild/protobuf'
import type { CallContext } from '../context.ts'
import type { Result } from '../results.ts'

/** Answers one call. The caller is authorized and the request is valid. Independent of the transport. */
export type Handler<I extends DescMessage, O extends DescMessage> = (
  ctx: CallContext,
  request: MessageShape<I>,
) => Promise<Result<MessageInitShape<O>>>

/**
 * Answers one call with a stream. A failed item ends it with that status. It must watch `ctx.signal`, because a suspended
 * iterator cannot be stopped from outside.
 */
export type StreamHandler<I extends DescMessage, O extends DescMessage> = (
  ctx: CallContext,
  request: MessageShape<I>,
) => AsyncIterable<Result<MessageInitShape<O>>>

/** The handler type of a method. QScope has no methods with request streams. */
export type MethodHandler<M> =
  M extends DescMethodUnary<infer I, infer O>
    ? Handler<I, O>
    : M extends DescMethodServerStreaming<infer I, infer O>
      ? StreamHandler<I, O>
      : never

/** One handler for every method of a service, by its local name. */
export type ServiceHandlers<S extends Pick<DescService, 'method'>> = {
  readonly [Name in keyof S['method']]: MethodHandler<S['method'][Name]>
}

/** The request of a handler. */
export type RequestOf<M extends DescMethod> = MessageShape<M['input']>

/** The result of a unary method's handler. */
export type AnswerOf<M extends DescMethodUnary> = ReturnType<Handler<M['input'], M['output']>>

/** The result of a streaming method's handler. */
export type AnswersOf<M extends DescMethodServerStreaming> = ReturnType<StreamHandler<M['input'], M['output']>>

/** The allowed peers of a service from another contract, which has no field for credentials. Only the peer of the call decides. */
export interface PeerRule {
  include(peer: Pick<CallContext, 'peer' | 'certificate' | 'now'>): boolean
}

/** A method and its handler, without the types that `route` has checked. */
export type Route = UnaryRoute | StreamRoute

interface RouteOfService {
  /** `null`: the method's access option decides who may call it. */
  readonly peers: PeerRule | null
}

interface UnaryRoute extends RouteOfService {
  readonly kind: 'unary'
  readonly method: DescMethodUnary
  /** The method of the same name in a class that implements {@link ServiceHandlers}, bound by {@link route}. */
  readonly handle: (ctx: CallContext, request: Message) => Promise<Result<object>>
}

interface StreamRoute extends RouteOfService {
  readonly kind: 'serverStream'
  readonly method: DescMethodServerStreaming
  /** See {@link UnaryRoute}. */
  readonly handle: (ctx: CallContext, request: Message) => AsyncIterable<Result<object>>
}

/** Public members without a method of the service. */
type SurplusHandlers<S extends DescService, H> = { readonly [Name in Exclude<keyof H, keyof S['method']>]: never }

/**
 * Binds a service to an object whose methods have the names of the service's methods. A missing or additional method does not
 * compile. `peers`: the allowed peers of the service, if its methods are exempt from the access option.
 */
export function route<S extends DescService, H extends ServiceHandlers<S>>(
  service: S,
  handlers: H & SurplusHandlers<S, H>,
  peers: PeerRule | null = null,
): readonly Route[] {
  return service.methods.map((method): Route => {
    // `ServiceHandlers` has matched each handler with its method. A list of routes cannot express those types.
    const handler: unknown = Reflect.get(handlers, method.localName)
    if (typeof handler !== 'function') throw new Error(`${pathOf(method)} has no handler`)
    const handle: unknown = handler.bind(handlers)
    if (isUnary(method)) return { kind: 'unary', peers, method, handle: handle as UnaryRoute['handle'] }
    if (isServerStream(method)) return { kind: 'serverStream', peers, method, handle: handle as StreamRoute['handle'] }
    throw new Error(`${pathOf(method)} takes a stream of requests, which handlers cannot`)
  })
}

export function isUnary(method: DescMethod): method is DescMethodUnary {
  return method.methodKind === 'unary'
}

export function isServerStream(method: DescMethod): method is DescMethodServerStreaming {
  return method.methodKind === 'server_streaming'
}

/** The distinct services of the routes. */
export function servicesOf(routes: readonly Route[]): readonly DescService[] {
  return [...new Set(routes.map((each) => each.method.parent))]
}

/** The path of a method on the wire, such as `/qscope.v1.TokenService/MintToken`. */
export function pathOf(method: DescMethod): string {
  return `/${method.parent.typeName}/${method.name}`
}
