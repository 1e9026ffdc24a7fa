import { expect, it } from 'vitest'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { connect } from '../setup/client.ts'
import { qscope, run, temporaryDirectory } from './process.ts'

it('a running server accepts secrets of a rotated pepper from its first use on', async () => {
  const directory = await temporaryDirectory()
  const server = qscope(directory, ['serve'], { QSCOPE_GRPC_LISTEN: '127.0.0.1:0' })
  const [, address = ''] = await server.until(/listens on (\S+)/)
  const connection = connect(address)
  const fine = async (...args: string[]) => {
    const { code, stdout, stderr } = await run(directory, [...args, '--json'])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    return JSON.parse(stdout)
  }
  const proofOf = ({ client, clientSecret }: { client: { clientId: string }; clientSecret: string }) => ({
    client: { clientId: client.clientId, method: { case: 'clientSecret' as const, value: clientSecret } },
  })

  const create = ['client', 'create', '--local', '--grant', 'client_credentials']
  const older = proofOf(await fine(...create))
  const { keys } = await fine('keyring', 'rotate', '--purpose', 'pepper')
  const newer = proofOf(await fine(...create))
  for (const proof of [older, newer]) await connection.call(TokenService.method.mintToken, proof)
  const status = await fine('keyring', 'status')
  expect(status.keys).toContainEqual(expect.objectContaining({ id: keys[0].id, state: 'active', inUse: true }))
  expect(await fine('audit', 'verify', '--local')).toMatchObject({ valid: true })

  connection.close()
  server.child.kill('SIGTERM')
  expect((await server.ended).code).toBe(0)
}, 300_000)
