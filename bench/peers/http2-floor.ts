/** The lower bound: node:http2 without a handler. Answers every request with the same gRPC frame. */
import { createServer } from 'node:http2'
import type { AddressInfo } from 'node:net'

const MESSAGE_BYTES = 200
const FRAME = Buffer.concat([Buffer.from([0, 0, 0, 0, MESSAGE_BYTES]), Buffer.alloc(MESSAGE_BYTES, 'x')])
const HEADERS = Object.freeze({ ':status': 200, 'content-type': 'application/grpc' })
const TRAILERS = Object.freeze({ 'grpc-status': '0' })

const server = createServer()
server.on('stream', (stream) => {
  stream.resume()
  stream.respond(HEADERS, { waitForTrailers: true })
  stream.on('wantTrailers', () => stream.sendTrailers(TRAILERS))
  stream.on('error', () => stream.destroy())
  stream.end(FRAME)
})
server.listen(0, '127.0.0.1', () => {
  // A TCP server's address is an object.
  const { port } = server.address() as AddressInfo
  process.send?.({ port })
})
process.on('disconnect', () => process.exit())
