import {
  type ChannelOptions,
  type handleBidiStreamingCall,
  type handleServerStreamingCall,
  type handleUnaryCall,
  Server,
  ServerCredentials,
  setLogger,
} from '@grpc/grpc-js'
import type { GrpcLimits } from '../grpc/limits.ts'
import {
  type GrpcTransport,
  type ListenAddress,
  nameOf,
  type SingleRequestMethod,
  type StreamRequestMethod,
  type TransportSettings,
} from '../grpc/transport.ts'
import { type CallServices, GrpcJsStreamCall, GrpcJsUnaryCall, type OpenCalls } from './call.ts'
import { Connections } from './connections.ts'
import { refuseRequests } from './refuse-requests.ts'
import { correctRequestHeaders } from './request-headers.ts'
import { spreadStreams } from './spread-streams.ts'
import { TlsCredentials } from './tls-credentials.ts'
import { watchIncoming } from './watch-incoming.ts'

/** The transport of the port that uses grpc-js. Messages pass as bytes. */
export class GrpcJsTransport implements GrpcTransport {
  readonly #settings: TransportSettings
  readonly #server: Server
  readonly #connections: Connections
  readonly #open: OpenCalls = new Set()

  constructor(settings: TransportSettings) {
    const { methods, limits, jitter, log } = settings
    // grpc-js has one logger for the process. The server that was created last gets its lines.
    setLogger({ error: (...parts: unknown[]) => log.debug({ grpc: parts.map(String).join(' ') }, 'grpc-js') })
    this.#settings = settings
    this.#server = new Server(channelOptions(limits))
    this.#connections = new Connections(limits, jitter, (session) => this.#expireCallsOn(session))
    const services = { connections: this.#connections, open: this.#open, peerName: settings.peerName }
    for (const method of methods) register(this.#server, method, services)
  }

  async listen(address: ListenAddress): Promise<{ readonly port: number }> {
    const { tls } = this.#settings
    const credentials = tls === null ? ServerCredentials.createInsecure() : new TlsCredentials(tls)
    const port = await bind(this.#server, nameOf(address), credentials)
    correctRequestHeaders(this.#server)
    this.#connections.follow(this.#server)
    watchIncoming(this.#server, this.#settings)
    spreadStreams(this.#server)
    refuseRequests(this.#server)
    return { port: 'path' in address ? 0 : port }
  }

  async stop(): Promise<void> {
    this.#connections.goAway()
    await new Promise<void>((resolve) => this.#server.tryShutdown(() => resolve()))
  }

  expireCalls(): void {
    this.#expireCallsOn(null)
  }

  destroy(): void {
    this.#connections.destroy()
  }

  #expireCallsOn(session: object | null): void {
    for (const call of this.#open) if (session === null || call.isOn(session)) call.expire()
  }
}

function register(server: Server, method: SingleRequestMethod | StreamRequestMethod, services: CallServices): void {
  const { kind, path } = method
  switch (kind) {
    case 'unary':
      server.register(path, unary(method, services), same, same, kind)
      break
    case 'serverStream':
      server.register(path, serverStream(method, services), same, same, kind)
      break
    case 'bidi':
      server.register(path, bidi(method, services), same, same, kind)
      break
    default:
      kind satisfies never
  }
}

function unary(method: SingleRequestMethod, services: CallServices): handleUnaryCall<Buffer, Buffer> {
  return (call, callback) => {
    const carried = new GrpcJsUnaryCall(call, callback, services)
    carried.listenedBy(method.begin(carried, call.request))
  }
}

function serverStream(method: SingleRequestMethod, services: CallServices): handleServerStreamingCall<Buffer, Buffer> {
  return (call) => {
    const carried = new GrpcJsStreamCall(call, services)
    carried.listenedBy(method.begin(carried, call.request))
  }
}

function bidi(method: StreamRequestMethod, services: CallServices): handleBidiStreamingCall<Buffer, Buffer> {
  return (call) => {
    const carried = new GrpcJsStreamCall(call, services)
    const listener = method.begin(carried)
    carried.listenedBy(listener)
    call.on('data', (message: Buffer) => listener.request(message))
    call.on('end', () => listener.requestsEnded())
  }
}

function bind(server: Server, address: string, credentials: ServerCredentials): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(address, credentials, (error, port) => {
      if (error === null) resolve(port)
      else reject(error)
    })
  })
}

function channelOptions(limits: GrpcLimits): ChannelOptions {
  return {
    'grpc.max_receive_message_length': limits.maxMessageBytes,
    'grpc.max_concurrent_streams': limits.maxConcurrentStreams,
    'grpc.max_connection_idle_ms': limits.maxConnectionIdleMs,
    'grpc.enable_channelz': 0,
  }
}

function same(message: Buffer): Buffer {
  return message
}
