import { toJson } from '@bufbuild/protobuf'
import { createLocalJWKSet, type JSONWebKeySet, type JWTPayload, jwtVerify, SignJWT } from 'jose'
import { openPrivateKey } from '../../src/crypto/signing-keys.ts'
import { epochMs, signingKeyId } from '../../src/domain/ids.ts'
import type { SigningKey } from '../../src/domain/signing-key.ts'
import { AccessTokenFormat } from '../../src/gen/qscope/v1/client_pb.ts'
import { GetJsonWebKeySetResponseSchema, TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import type { TestServer } from './server.ts'

/** The registration setting for JWTs. */
export const JWT = { accessTokenFormat: AccessTokenFormat.JWT }

/** A decoded part of a JWT. Its signature is not verified. */
export function partOf(token: string, index: 0 | 1): Record<string, unknown> {
  return JSON.parse(Buffer.from(token.split('.')[index] ?? '', 'base64url').toString())
}

export type Jwts = ReturnType<typeof jwtsOn>

/** The uses and misuses of a server's JWTs. */
export function jwtsOn(server: TestServer) {
  /** The published keys as JSON. */
  async function keySet(): Promise<JSONWebKeySet> {
    const answer = await server.call(TokenService.method.getJsonWebKeySet, {})
    return toJson(GetJsonWebKeySetResponseSchema, answer, { alwaysEmitImplicit: true }) as unknown as JSONWebKeySet
  }

  /** Verifies like a resource server that only has the key set. */
  async function verifyOffline(token: string, audience: string, keys?: JSONWebKeySet): Promise<JWTPayload> {
    const { payload } = await jwtVerify(token, createLocalJWKSet(keys ?? (await keySet())), {
      issuer: server.issuer,
      audience,
      typ: 'at+jwt',
      requiredClaims: ['iss', 'exp', 'aud', 'sub', 'client_id', 'iat', 'jti'],
      currentDate: new Date(server.clock.now()),
    })
    return payload
  }

  async function keyOf(token: string): Promise<SigningKey> {
    const ctx = {
      rayId: 'test',
      now: epochMs(server.clock.now()),
      log: console,
      deadline: null,
      signal: new AbortController().signal,
    }
    const key = await server.app.backend.reads.signingKeys.find(ctx, signingKeyId(String(partOf(token, 0)['kid'])))
    if (key === null) throw new Error('the key of the token is not there')
    return key
  }

  return {
    keySet,
    verifyOffline,
    keyOf,
    /** Signs other claims with a token's key, which nobody outside can do. */
    async forge(token: string, claims: JWTPayload, header: Record<string, unknown> = {}): Promise<string> {
      const key = await keyOf(token)
      if (key.privateKey === null) throw new Error('the key signs no more')
      const privateKey = openPrivateKey(server.keyring, key, key.privateKey)
      return await new SignJWT({ ...partOf(token, 1), ...claims })
        .setProtectedHeader({ ...partOf(token, 0), alg: key.algorithm, ...header })
        .sign(privateKey)
    },
  }
}
