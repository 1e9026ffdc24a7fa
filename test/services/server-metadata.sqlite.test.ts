import { toJson } from '@bufbuild/protobuf'
import { afterAll, describe, expect, it } from 'vitest'
import { GetServerMetadataResponseSchema, ServerService } from '../../src/gen/qscope/v1/server_service_pb.ts'
import { HTTP_PORT } from '../setup/forms.ts'
import { sqliteFiles } from '../setup/fresh-database.ts'
import { startServer, type TestServer } from '../setup/server.ts'

const { getServerMetadata } = ServerService.method

describe('GetServerMetadata', () => {
  const running: (() => Promise<unknown>)[] = []
  afterAll(async () => {
    for (const stop of running) await stop()
  })
  async function serving(variables: Readonly<Record<string, string>>): Promise<TestServer> {
    const database = await sqliteFiles.createMigrated()
    const server = await startServer(database.url, undefined, undefined, variables)
    running.push(async () => {
      await server.stop()
      await database.drop()
    })
    return server
  }

  it('returns the content of the HTTP document to everybody', async () => {
    const server = await serving(HTTP_PORT)
    const metadata = await server.call(getServerMetadata, {})
    const response = await fetch(`${server.httpUrl}/.well-known/oauth-authorization-server`)
    expect(toJson(GetServerMetadataResponseSchema, metadata, { useProtoFieldName: true })).toEqual(
      await response.json(),
    )
    expect(metadata.tokenEndpoint).toBe(`${server.httpUrl}/oauth2/token`)
    expect(metadata.tlsClientCertificateBoundAccessTokens).toBe(false)
  })

  it('contains no endpoints without the HTTP port, and no forms if they are off', async () => {
    const alone = await (await serving({})).call(getServerMetadata, {})
    expect(alone).toMatchObject({ tokenEndpoint: '', introspectionEndpoint: '', jwksUri: '' })
    expect(alone.grantTypesSupported).toContain('client_credentials')
    const formless = await serving({ ...HTTP_PORT, QSCOPE_HTTP_OAUTH: 'off' })
    const metadata = await formless.call(getServerMetadata, {})
    expect(metadata).toMatchObject({ tokenEndpoint: '', jwksUri: `${formless.httpUrl}/.well-known/jwks.json` })
  })
})
