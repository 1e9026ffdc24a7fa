import { type DescMethod, fromBinary } from '@bufbuild/protobuf'
import { Client, credentials, Metadata, type ServiceError, status } from '@grpc/grpc-js'
import { ClientType, GrantType } from '../../src/gen/qscope/v1/client_pb.ts'
import { ClientService } from '../../src/gen/qscope/v1/client_service_pb.ts'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { connect } from '../setup/client.ts'
import { bytesOf, type FuzzedMessage } from './fuzz-message.ts'
import { createPool } from './fuzz-pool.ts'
import { accessOf, isServerStream, nameOf } from './reflected-methods.ts'

/** The credentials of a fuzzed call. */
export type Proof = 'right' | 'none' | { readonly authorization: string }
export interface FuzzedCall {
  readonly method: DescMethod
  readonly message: FuzzedMessage
  readonly proof: Proof
}

const UNARY_MS = 30_000
const STREAM_MS = 200
const VICTIMS = 20
const GRANTS = [
  GrantType.AUTHORIZATION_CODE,
  GrantType.CLIENT_CREDENTIALS,
  GrantType.REFRESH_TOKEN,
  GrantType.DEVICE_CODE,
  GrantType.TOKEN_EXCHANGE,
]

export type FuzzTarget = Awaited<ReturnType<typeof aimAt>>

/** Sends raw bytes to a server with valid credentials, and records values from its answers. */
export async function aimAt(address: string, adminSecret: string) {
  const raw = new Client(address, credentials.createInsecure(), { 'grpc.max_send_message_length': -1 })
  const connection = connect(address)
  const admin = { clientId: 'admin', method: { case: 'clientSecret' as const, value: adminSecret } }
  const mint = async () =>
    (await connection.call(TokenService.method.mintToken, { client: admin })).token?.accessToken ?? ''
  let bearer = await mint()
  const pool = createPool(new Set(['admin', 'fuzzer']))
  const register = async (clientId: string) => {
    const redirectUris = ['https://app.example/callback']
    const request = { clientId, type: ClientType.CONFIDENTIAL, grantTypes: GRANTS, scopes: ['orders'], redirectUris }
    return await connection.call(ClientService.method.registerClient, request, { bearer })
  }
  const registered = await register('fuzzer')
  for (let i = 0; i < VICTIMS; i += 1) pool.learn(await register(`victim-${i}`))
  const basic = Buffer.from(`fuzzer:${registered.clientSecret}`).toString('base64')
  const outcomes = new Map<string, Map<string, number>>()

  function metadataOf(method: DescMethod, proof: Proof): Metadata {
    const metadata = new Metadata()
    if (proof === 'none') return metadata
    const right = accessOf(method).clientAuthentication ? `Basic ${basic}` : `Bearer ${bearer}`
    metadata.set('authorization', proof === 'right' ? right : proof.authorization)
    return metadata
  }

  /** Returns the status of the call. */
  function fire({ method, message, proof }: FuzzedCall): Promise<string> {
    const path = `/${nameOf(method)}`
    const bytes = bytesOf(message, pool.pick)
    const metadata = metadataOf(method, proof)
    const same = (each: Buffer) => each
    return new Promise((resolve) => {
      const end = (error: ServiceError | null) => resolve(error === null ? 'OK' : (status[error.code] ?? 'UNKNOWN'))
      const take = (answer: Buffer) => pool.learn(fromBinary(method.output, answer))
      if (isServerStream(method)) {
        const options = { deadline: Date.now() + STREAM_MS }
        const call = raw.makeServerStreamRequest(path, same, same, bytes, metadata, options)
        call
          .on('data', take)
          .on('end', () => end(null))
          .on('error', end)
        return
      }
      const options = { deadline: Date.now() + UNARY_MS }
      raw.makeUnaryRequest(path, same, same, bytes, metadata, options, (error, answer) => {
        if (answer !== undefined) take(answer)
        end(error)
      })
    })
  }

  return {
    outcomes,
    /** Sends several calls in parallel. */
    async fire(calls: readonly FuzzedCall[]): Promise<readonly string[]> {
      // The fuzzer may have revoked the previous token.
      bearer = await mint()
      const results = await Promise.all(calls.map(fire))
      for (const [index, call] of calls.entries()) {
        const counts = outcomes.get(nameOf(call.method)) ?? new Map<string, number>()
        const result = results[index] ?? ''
        outcomes.set(nameOf(call.method), counts.set(result, (counts.get(result) ?? 0) + 1))
      }
      return results
    },
    /** Whether the server still answers normally. */
    async isServing(): Promise<boolean> {
      const token = await mint()
      return (await connection.call(TokenService.method.introspectToken, { client: admin, token })).active
    },
    close: () => {
      raw.close()
      connection.close()
    },
  }
}
