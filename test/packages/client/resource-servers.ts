import { createSecureServer } from 'node:http2'
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { connectNodeAdapter } from '@connectrpc/connect-node'
import { type handleUnaryCall, Server, ServerCredentials, type ServerWritableStream } from '@grpc/grpc-js'
import { peerCertificateValues } from '../../../packages/client/src/connect/peer-certificate.ts'
import * as onConnect from '../../../packages/client/src/connect/require-token.ts'
import * as onGrpcJs from '../../../packages/client/src/grpc-js/require-token.ts'
import type { RequireTokenOptions } from '../../../packages/client/src/verification/admission.ts'
import { methodAccess } from '../../../packages/client/src/verification/method-access.ts'
import type { VerifiedToken } from '../../../packages/client/src/verification/verified-token.ts'
import {
  Health,
  type HealthCheckRequest,
  HealthCheckRequestSchema,
  type HealthCheckResponse,
  HealthCheckResponse_ServingStatus,
  HealthCheckResponseSchema,
  type HealthListRequest,
  HealthListRequestSchema,
  type HealthListResponse,
  HealthListResponseSchema,
} from '../../../src/gen/grpc/health/v1/health_pb.ts'
import type { Identity } from '../../setup/certificates.ts'
import { grpcPortOf } from '../../setup/grpc-servers.ts'

/** A service with generated stubs: one method for readers, one for writers, one for anyone. */
export const ACCESS = methodAccess(Health, { check: ['orders.read'], watch: ['orders.write'], list: 'anyone' })

export interface ResourceServer {
  /** `localhost:port`; it speaks TLS. */
  readonly address: string
  /** The tokens of the calls that reached a handler. */
  readonly tokens: readonly VerifiedToken[]
  stop(): Promise<void>
}

/** The server's identity, and the CA of callers' certificates; `null`: the server requests no certificate. */
export interface Certificates {
  readonly serving: Identity
  readonly callers: Identity | null
}

type Start = (options: RequireTokenOptions, certificates: Certificates) => Promise<ResourceServer>

const SERVING = { status: HealthCheckResponse_ServingStatus.SERVING }

const startGrpcJs: Start = async (options, { serving, callers }) => {
  const tokens: VerifiedToken[] = []
  const server = new Server({ interceptors: [onGrpcJs.requireToken(options)] })
  const check: handleUnaryCall<HealthCheckRequest, HealthCheckResponse> = (call, callback) => {
    tokens.push(onGrpcJs.verifiedToken(call))
    callback(null, create(HealthCheckResponseSchema, SERVING))
  }
  const list: handleUnaryCall<HealthListRequest, HealthListResponse> = (_call, callback) =>
    callback(null, create(HealthListResponseSchema))
  const watch = (call: ServerWritableStream<HealthCheckRequest, HealthCheckResponse>) => {
    tokens.push(onGrpcJs.verifiedToken(call))
    call.write(create(HealthCheckResponseSchema, SERVING))
    call.end()
  }
  const readCheck = (bytes: Buffer) => fromBinary(HealthCheckRequestSchema, bytes)
  const writeCheck = (message: HealthCheckResponse) => Buffer.from(toBinary(HealthCheckResponseSchema, message))
  const readList = (bytes: Buffer) => fromBinary(HealthListRequestSchema, bytes)
  const writeList = (message: HealthListResponse) => Buffer.from(toBinary(HealthListResponseSchema, message))
  server.register('/grpc.health.v1.Health/Check', check, writeCheck, readCheck, 'unary')
  server.register('/grpc.health.v1.Health/List', list, writeList, readList, 'unary')
  server.register('/grpc.health.v1.Health/Watch', watch, writeCheck, readCheck, 'serverStream')
  const pair = { cert_chain: serving.cert, private_key: serving.key }
  const secure = ServerCredentials.createSsl(callers?.cert ?? null, [pair], callers !== null)
  const port = await grpcPortOf(server, secure)
  return { address: `localhost:${port}`, tokens, stop: async () => server.forceShutdown() }
}

const startConnect: Start = async (options, { serving, callers }) => {
  const tokens: VerifiedToken[] = []
  const handler = connectNodeAdapter({
    routes: (router) => {
      router.service(Health, {
        check: (_request, context) => {
          tokens.push(onConnect.verifiedToken(context))
          return SERVING
        },
        list: () => ({}),
        async *watch(_request, context) {
          tokens.push(onConnect.verifiedToken(context))
          yield SERVING
        },
      })
    },
    interceptors: [onConnect.requireToken(options)],
    contextValues: peerCertificateValues,
  })
  const asked = callers === null ? {} : { ca: callers.cert, requestCert: true }
  const server = createSecureServer({ cert: serving.cert, key: serving.key, ...asked }, handler)
  const sessions = new Set<{ destroy(): void }>()
  server.on('session', (session) => sessions.add(session))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const bound = server.address()
  if (bound === null || typeof bound === 'string') throw new Error('the server has no port')
  return {
    address: `localhost:${bound.port}`,
    tokens,
    stop: async () => {
      for (const session of sessions) session.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** Both kinds of servers that the package guards. */
export const RESOURCE_SERVERS = Object.freeze([
  { kind: 'grpc-js', start: startGrpcJs },
  { kind: 'Connect', start: startConnect },
])
