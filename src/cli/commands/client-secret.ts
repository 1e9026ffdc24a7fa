import type { Duration } from '@bufbuild/protobuf/wkt'
import { Command } from 'commander'
import type { ClientSecretInfo } from '../../gen/qscope/v1/client_pb.ts'
import {
  ClientService,
  ListClientSecretsResponseSchema,
  RevokeClientSecretResponseSchema,
  RotateOwnSecretResponseSchema,
} from '../../gen/qscope/v1/client_service_pb.ts'
import { readWithCalls, withCalls } from '../connection/session.ts'
import { type ConfirmationOptions, confirm, withConfirmation } from '../input/prompt.ts'
import { withExample } from '../options/example.ts'
import { type ConnectionOptions, duration, omitUndefined, withConnection } from '../options/options.ts'
import { messageJson, shownOnce, type View } from '../output/output.ts'

const secretView: View<ClientSecretInfo> = {
  name: ({ secretId }) => secretId,
  columns: [
    { heading: 'SECRET ID', value: ({ secretId }) => secretId, whole: true },
    { heading: 'CREATED', value: ({ createTime }) => createTime },
    { heading: 'EXPIRES', value: ({ expireTime }) => expireTime ?? 'never' },
    { heading: 'LAST USED', value: ({ lastUsedTime }) => lastUsedTime ?? 'never' },
  ],
  pairs: ({ secretId, createTime, expireTime, lastUsedTime }) => [
    ['secret id', secretId],
    ['created', createTime],
    ['expires', expireTime],
    ['last used', lastUsedTime],
  ],
}

export function clientSecretCommand(): Command {
  return new Command('secret')
    .description('manage the secrets of a client; qscope client rotate-secret creates one')
    .addCommand(listCommand())
    .addCommand(revokeCommand())
    .addCommand(rotateOwnCommand())
}

function listCommand(): Command {
  return withConnection(new Command('list'))
    .description('list the secrets of a client without their values, newest first')
    .argument('<client-id>')
    .action(async (clientId: string, options: ConnectionOptions) => {
      await readWithCalls(options, async (calls, output) => {
        const answer = await calls.call(ClientService.method.listClientSecrets, { clientId })
        output.list(secretView, answer.secrets, () => messageJson(ListClientSecretsResponseSchema, answer))
      })
    })
}

function revokeCommand(): Command {
  return withConfirmation(withConnection(new Command('revoke')))
    .description('revoke a secret of a client at once')
    .argument('<client-id>')
    .argument('<secret-id>', 'id of the secret, as qscope client secret list shows it')
    .action(async (clientId: string, secretId: string, options: ConnectionOptions & ConfirmationOptions) => {
      await confirm(options, `This revokes the secret ${secretId} of ${clientId} for good`)
      await withCalls(options, async (calls, output) => {
        const answer = await calls.call(ClientService.method.revokeClientSecret, { clientId, secretId })
        output.answer({
          document: () => messageJson(RevokeClientSecretResponseSchema, answer),
          text: () => `revoked ${secretId}`,
          names: () => [secretId],
        })
      })
    })
}

interface RotateOwnOptions extends ConnectionOptions {
  readonly lifetime?: Duration
}

/** The calling client rotates its own secret. It is identified as in every other command. */
function rotateOwnCommand(): Command {
  const command = withConnection(new Command('rotate-own'))
    .description(
      'create another secret for the calling client and print it (shown once); its current secrets stay valid',
    )
    .option('--lifetime <duration>', 'lifetime of the secret, 1h to 365d (default: unlimited)', duration)
    .action(async (options: RotateOwnOptions) => {
      await withCalls(options, async (calls, output) => {
        const { lifetime } = options
        const answer = await calls.call(ClientService.method.rotateOwnSecret, omitUndefined({ lifetime }))
        output.answer({
          document: () => messageJson(RotateOwnSecretResponseSchema, answer),
          text: () =>
            output.pairs([
              ['client secret', shownOnce(answer.clientSecret)],
              ['secret id', answer.secretId],
              ['expires', answer.expireTime ?? 'never'],
            ]),
          names: () => [answer.secretId],
        })
      })
    })
  return withExample(command, 'qscope client secret rotate-own --lifetime 90d --json > new-secret.json')
}
