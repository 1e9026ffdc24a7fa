import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { Code, ConnectError, createRouterTransport } from '@connectrpc/connect'
import { Client, Metadata, type ServiceError } from '@grpc/grpc-js'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { Channel } from '../../../packages/client/src/channel.ts'
import { connectChannel } from '../../../packages/client/src/connect/channel.ts'
import { ErrorInfoSchema } from '../../../packages/client/src/gen/google/rpc/error_details_pb.ts'
import { SubjectType, TokenUse } from '../../../packages/client/src/gen/qscope/v1/token_pb.ts'
import { TokenService } from '../../../packages/client/src/gen/qscope/v1/token_service_pb.ts'
import { cachingVerifier } from '../../../packages/client/src/verification/caching/caching-verifier.ts'
import type { MethodRule } from '../../../packages/client/src/verification/method-access.ts'
import { onlineVerifier } from '../../../packages/client/src/verification/online-verifier.ts'
import { certificateAuthority, channelOf, LOCAL_NAMES, suiteFolder } from '../../setup/certificates.ts'
import { Refused } from '../../setup/client.ts'
import { RESOURCE_SERVERS } from './resource-servers.ts'

type TableRule = 'anyone' | { readonly scopes: readonly string[]; readonly audience?: string }

interface GuardTable {
  readonly issuer: string
  readonly audience: string
  readonly tokens: Readonly<
    Record<string, string | { readonly scopes: readonly string[]; readonly audiences: readonly string[] }>
  >
  readonly rules: Readonly<
    Record<string, { readonly methods: Readonly<Record<string, TableRule>>; readonly otherwise: TableRule | null }>
  >
  readonly cases: readonly {
    readonly name: string
    readonly rules: string
    readonly path: string
    readonly authorization: readonly string[]
    readonly result:
      | { readonly status: 'OK'; readonly token: string | null }
      | {
          readonly status: 'UNAUTHENTICATED' | 'PERMISSION_DENIED' | 'UNAVAILABLE' | 'INTERNAL'
          readonly reason: string
          readonly oauth_error: string
          readonly message: string
          readonly required_scopes?: string
        }
  }[]
}

const FILE = join(import.meta.dirname, '..', '..', '..', 'clients', 'conformance', 'guard-cases.json')
const table: GuardTable = JSON.parse(readFileSync(FILE, 'utf8'))
const folder = suiteFolder()
const ca = certificateAuthority(folder, 'ca')
const serving = ca.issue('server', LOCAL_NAMES)
const HOUR_MS = 3_600_000

const refusals: Readonly<Record<string, readonly [Code, string, Record<string, string>]>> = {
  invalid_token: [Code.Unauthenticated, 'OAUTH_INVALID_TOKEN', { token: 'presented' }],
  invalid_client: [Code.Unauthenticated, 'OAUTH_INVALID_CLIENT', {}],
  unavailable: [Code.Unavailable, 'OAUTH_TEMPORARILY_UNAVAILABLE', {}],
}

/** A server that answers from the table, without revocations. */
function tabledServer(): Channel {
  const transport = createRouterTransport(({ service }) =>
    service(TokenService, {
      verifyToken: ({ token }) => {
        const told = table.tokens[token] ?? 'invalid_token'
        if (typeof told === 'string') {
          const [code, reason, metadata] = refusals[told] ?? [Code.Unknown, told, {}]
          const info = { desc: ErrorInfoSchema, value: { reason, domain: 'qscope', metadata } }
          throw new ConnectError('no', code, undefined, [info])
        }
        return {
          claims: {
            tokenId: token,
            clientId: 'orders',
            subject: 'orders',
            subjectType: SubjectType.CLIENT,
            tokenUse: TokenUse.ACCESS,
            scopes: [...told.scopes],
            audiences: [...told.audiences],
            issuer: table.issuer,
            issueTime: timestampFromMs(Date.now()),
            expireTime: timestampFromMs(Date.now() + HOUR_MS),
            revocationKeys: [Buffer.alloc(16, token)],
          },
        }
      },
      pollRevocations: async ({ from }) => {
        if (from.case === 'cursor') await new Promise((resolve) => setTimeout(resolve, 50))
        return { nextCursor: 'next' }
      },
    }),
  )
  return connectChannel(transport)
}

const caller = { clientId: 'warehouse', clientSecret: 'any' }
const VERIFIERS = [
  { how: 'by asking', make: () => onlineVerifier(tabledServer(), { caller, audience: null }) },
  {
    how: 'from memory',
    make: () => {
      const verifier = cachingVerifier(tabledServer(), { caller, audience: null })
      onTestFinished(() => verifier.close())
      return verifier
    },
  },
]

function ruleOf(rule: TableRule): MethodRule {
  if (rule === 'anyone') return rule
  const { scopes, audience } = rule
  return audience === undefined ? scopes : { scopes, audience }
}

/** `null`: the call was accepted. */
async function refusalOf(address: string, path: string, authorization: readonly string[]): Promise<Refused | null> {
  const client = new Client(address, channelOf(ca))
  const metadata = new Metadata()
  for (const value of authorization) metadata.add('authorization', value)
  const nothing = () => Buffer.alloc(0)
  try {
    await new Promise<void>((resolve, reject) => {
      if (path.endsWith('/Watch')) {
        const call = client.makeServerStreamRequest(path, nothing, nothing, null, metadata)
        call.on('data', () => undefined)
        call.on('error', reject)
        call.on('end', resolve)
        return
      }
      client.makeUnaryRequest(path, nothing, nothing, null, metadata, (error) => {
        if (error === null) resolve()
        else reject(error)
      })
    })
    return null
  } catch (error) {
    return new Refused(error as ServiceError)
  } finally {
    client.close()
  }
}

/** Node's HTTP/2 server passes on only the first of several values, and its client sends only one. */
const POSSIBLE = table.cases.filter(({ authorization }) => authorization.length < 2)

const CASES = RESOURCE_SERVERS.flatMap((server) => VERIFIERS.map((verifier) => ({ ...server, ...verifier })))

describe.each(CASES)('a guarded $kind server that verifies $how', ({ start, make }) => {
  it.each(POSSIBLE)('passes the case: $name', async ({ rules, path, authorization, result }) => {
    const { methods, otherwise } = table.rules[rules] ?? { methods: {}, otherwise: null }
    const failures: unknown[] = []
    const options = {
      verifier: make(),
      audience: table.audience,
      access: Object.fromEntries(Object.entries(methods).map(([name, rule]) => [name, ruleOf(rule)])),
      otherwise: otherwise === null ? undefined : ruleOf(otherwise),
      onCheckFailure: (error: unknown) => failures.push(error),
    }
    const running = await start(options, { serving, callers: null })
    onTestFinished(() => running.stop())
    const values = authorization.map((value) => value.replaceAll('$', ''))
    const refusal = await refusalOf(running.address, path, values)
    if (result.status === 'OK') {
      expect(refusal).toBeNull()
      expect(running.tokens.map(({ tokenId }) => tokenId)).toEqual(result.token === null ? [] : [result.token])
      return
    }
    expect(refusal).toMatchObject({ status: result.status, reason: result.reason })
    expect(refusal?.message).toContain(result.message)
    const scopes = result.required_scopes === undefined ? {} : { required_scopes: result.required_scopes }
    expect(refusal?.metadata).toEqual({ oauth_error: result.oauth_error, ...scopes })
    expect(running.tokens).toEqual([])
    const isUnknown = result.status === 'UNAVAILABLE' || result.status === 'INTERNAL'
    expect(failures).toHaveLength(isUnknown ? 1 : 0)
  })
})
