import { Command } from 'commander'
import type { JsonWebKey } from '../../gen/qscope/v1/json_web_key_pb.ts'
import {
  ActivateSigningKeyResponseSchema,
  KeyService,
  ListSigningKeysResponseSchema,
  PrepareSigningKeyResponseSchema,
  RetireSigningKeyResponseSchema,
  RevokeSigningKeyResponseSchema,
  type SigningAlgorithm,
  SigningAlgorithmSchema,
  type SigningKeyState,
  SigningKeyStateSchema,
} from '../../gen/qscope/v1/key_service_pb.ts'
import { GetJsonWebKeySetResponseSchema, TokenService } from '../../gen/qscope/v1/token_service_pb.ts'
import { readWithCalls, withCalls } from '../connection/session.ts'
import { type ConfirmationOptions, confirm, withConfirmation } from '../input/prompt.ts'
import { withExample } from '../options/example.ts'
import {
  type ConnectionOptions,
  choice,
  omitUndefined,
  type PageOptions,
  withConnection,
  withPaging,
} from '../options/options.ts'
import { documentJson, durationText, messageJson } from '../output/output.ts'
import type { Column } from '../output/table.ts'
import { signingKeyView } from '../views/signing-key.ts'

export function keysCommand(): Command {
  return new Command('key')
    .alias('keys')
    .description('manage the keys that sign JWT access tokens')
    .addCommand(listCommand())
    .addCommand(prepareCommand())
    .addCommand(activateCommand())
    .addCommand(retireCommand())
    .addCommand(revokeCommand())
    .addCommand(jwksCommand())
}

interface ListOptions extends ConnectionOptions, PageOptions {
  readonly state?: SigningKeyState
}

function listCommand(): Command {
  return withPaging(withConnection(new Command('list')))
    .description('list the keys that sign JWT access tokens, newest first')
    .addOption(choice('--state <state>', 'only keys in this state', SigningKeyStateSchema))
    .action(async (options: ListOptions) => {
      await readWithCalls(options, async (calls, output) => {
        const { pageSize, pageToken, state } = options
        const request = omitUndefined({ pageSize, pageToken, state })
        const answer = await calls.call(KeyService.method.listSigningKeys, request)
        const document = () => messageJson(ListSigningKeysResponseSchema, answer)
        output.list(signingKeyView, answer.keys, document, answer.nextPageToken)
      })
    })
}

interface PrepareOptions extends ConnectionOptions {
  readonly algorithm?: SigningAlgorithm
}

function prepareCommand(): Command {
  return withConnection(new Command('prepare'))
    .description('create a signing key and publish it in the key set; it does not sign yet')
    .addOption(choice('--algorithm <name>', "signing algorithm (default: the server's)", SigningAlgorithmSchema))
    .action(async (options: PrepareOptions) => {
      await withCalls(options, async (calls, output) => {
        const { algorithm } = options
        const answer = await calls.call(KeyService.method.prepareSigningKey, omitUndefined({ algorithm }))
        output.object(signingKeyView, answer.key, () => messageJson(PrepareSigningKeyResponseSchema, answer))
      })
    })
}

function activateCommand(): Command {
  return withConnection(new Command('activate'))
    .description('sign with a prepared key from now on, and retire the current key')
    .argument('<key-id>')
    .action(async (keyId: string, options: ConnectionOptions) => {
      await withCalls(options, async (calls, output) => {
        const answer = await calls.call(KeyService.method.activateSigningKey, { keyId })
        output.object(signingKeyView, answer.key, () => messageJson(ActivateSigningKeyResponseSchema, answer))
      })
    })
}

function retireCommand(): Command {
  return withConfirmation(withConnection(new Command('retire')))
    .description('stop signing with a key; its tokens stay valid')
    .argument('<key-id>')
    .action(async (keyId: string, options: ConnectionOptions & ConfirmationOptions) => {
      await confirm(options, `This retires the key ${keyId}: it will never sign again`)
      await withCalls(options, async (calls, output) => {
        const answer = await calls.call(KeyService.method.retireSigningKey, { keyId })
        output.object(signingKeyView, answer.key, () => messageJson(RetireSigningKeyResponseSchema, answer))
      })
    })
}

interface RevokeOptions extends ConnectionOptions, ConfirmationOptions {
  readonly reason: string
}

function revokeCommand(): Command {
  return withConfirmation(withConnection(new Command('revoke')))
    .description('revoke a key and all tokens that it signed, from the next call on')
    .argument('<key-id>')
    .option('--reason <text>', 'reason, for the audit log', '')
    .action(async (keyId: string, options: RevokeOptions) => {
      await confirm(options, `This revokes the key ${keyId} and all tokens that it signed for good`)
      await withCalls(options, async (calls, output) => {
        const answer = await calls.call(KeyService.method.revokeSigningKey, { keyId, reason: options.reason })
        output.object(signingKeyView, answer.key, () => messageJson(RevokeSigningKeyResponseSchema, answer))
      })
    })
}

const PUBLIC_KEY_COLUMNS: readonly Column<JsonWebKey>[] = [
  { heading: 'KEY ID', value: ({ kid }) => kid, whole: true },
  { heading: 'ALGORITHM', value: ({ alg }) => alg },
  { heading: 'TYPE', value: ({ kty }) => kty },
  { heading: 'CURVE', value: ({ crv }) => crv },
  { heading: 'REVOCATION KEY', value: ({ rvk }) => rvk, wide: true },
]

/** RFC 7517 §5. Public. */
function jwksCommand(): Command {
  const command = withConnection(new Command('jwks'))
    .description('print the public keys that verify JWT access tokens; with -o json, the key set itself')
    .action(async (options: ConnectionOptions) => {
      await readWithCalls(
        options,
        async (calls, output) => {
          const answer = await calls.call(TokenService.method.getJsonWebKeySet, {})
          output.answer({
            document: () => documentJson(GetJsonWebKeySetResponseSchema, answer),
            text: () =>
              [
                output.table(PUBLIC_KEY_COLUMNS, answer.keys),
                '',
                output.pairs([['may be kept for', durationText(answer.maxAge)]]),
              ].join('\n'),
            names: () => answer.keys.map(({ kid }) => kid),
          })
        },
        { asNobody: true },
      )
    })
  return withExample(command, 'qscope key jwks -o json > jwks.json')
}
