import { type DescMethodUnary, fromBinary, type MessageShape } from '@bufbuild/protobuf'
import { type ChannelCredentials, Client, type handleUnaryCall, Server, status } from '@grpc/grpc-js'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { asIs, byteMethod, grpcPortOf, pathOf } from '../setup/grpc-servers.ts'

/** The methods whose calls are forwarded. Others are refused. */
const METHODS = Object.freeze([TokenService.method.mintToken, TokenService.method.refreshToken])

export type LosingProxy = Awaited<ReturnType<typeof startLosingProxy>>

interface PassedCall {
  readonly method: DescMethodUnary
  /** The header `grpc-previous-rpc-attempts`, which a library sends with a retry. */
  readonly previousAttempts: string | undefined
  readonly answer: Buffer
}

/**
 * A proxy between a server and its clients that drops the first answer of each
 * method: the server has executed the call, and the client receives UNAVAILABLE.
 */
export async function startLosingProxy(address: string, channel: ChannelCredentials) {
  const upstream = new Client(address, channel)
  const passed: PassedCall[] = []
  const server = new Server()
  server.addService(Object.fromEntries(METHODS.map((method) => [method.name, byteMethod(method)])), {
    ...Object.fromEntries(METHODS.map((method) => [method.name, handlerOf(method)])),
  })
  const port = await grpcPortOf(server)

  function handlerOf(method: DescMethodUnary): handleUnaryCall<Buffer, Buffer> {
    return (call, respond) => {
      const [attempts] = call.metadata.get('grpc-previous-rpc-attempts')
      const isFirst = passed.every((each) => each.method !== method)
      upstream.makeUnaryRequest(pathOf(method), asIs, asIs, call.request, (error, answer) => {
        if (error !== null || answer === undefined) {
          respond(error ?? { code: status.INTERNAL, details: 'no answer' })
          return
        }
        passed.push({ method, previousAttempts: attempts?.toString(), answer })
        if (isFirst) respond({ code: status.UNAVAILABLE, details: 'the answer was lost' })
        else respond(null, answer)
      })
    }
  }

  return {
    address: `127.0.0.1:${port}`,
    /** The calls of one method that the server answered, oldest first. */
    passed<M extends DescMethodUnary>(method: M) {
      return passed
        .filter((each) => each.method === method)
        .map(({ previousAttempts, answer }) => ({
          previousAttempts,
          answer: fromBinary<M['output']>(method.output, answer) as MessageShape<M['output']>,
        }))
    },
    close() {
      server.forceShutdown()
      upstream.close()
    },
  }
}
