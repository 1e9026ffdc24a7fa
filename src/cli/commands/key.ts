import { Command } from 'commander'
import {
  ActivateSigningKeyResponseSchema,
  KeyService,
  ListSigningKeysResponseSchema,
  PrepareSigningKeyResponseSchema,
  RetireSigningKeyResponseSchema,
  RevokeSigningKeyResponseSchema,
  type SigningAlgorithm,
  SigningAlgorithmSchema,
  type SigningKey,
  type SigningKeyState,
  SigningKeyStateSchema,
} from '../../gen/qscope/v1/key_service_pb.ts'
import { readWithCalls, withCalls } from '../connection/session.ts'
import {
  type ConnectionOptions,
  choice,
  nameOf,
  omitUndefined,
  type PageOptions,
  withConnection,
  withPaging,
} from '../options/options.ts'
import { messageJson, nextPageText, type Output, timeText } from '../output/output.ts'

export function keysCommand(): Command {
  return new Command('keys')
    .description('the keys that sign JWT access tokens')
    .addCommand(listCommand())
    .addCommand(prepareCommand())
    .addCommand(activateCommand())
    .addCommand(retireCommand())
    .addCommand(revokeCommand())
}

interface ListOptions extends ConnectionOptions, PageOptions {
  readonly state?: SigningKeyState
}

function listCommand(): Command {
  return withPaging(withConnection(new Command('list')))
    .description('list the keys that sign JWT access tokens, the last prepared first')
    .addOption(choice('--state <state>', 'only keys in this state', SigningKeyStateSchema))
    .action(async (options: ListOptions) => {
      await readWithCalls(options, async (calls, output) => {
        const { pageSize, pageToken, state } = options
        const request = omitUndefined({ pageSize, pageToken, state })
        const answer = await calls.call(KeyService.method.listSigningKeys, request)
        output.answer(
          () => messageJson(ListSigningKeysResponseSchema, answer),
          () =>
            output.table(
              ['KEY ID', 'ALGORITHM', 'STATE', 'PREPARED', 'ACTIVATED', 'RETIRED', 'REVOKED'],
              answer.keys.map((key) => [
                key.keyId,
                nameOf(SigningAlgorithmSchema, key.algorithm),
                nameOf(SigningKeyStateSchema, key.state),
                timeText(key.prepareTime),
                timeText(key.activateTime),
                timeText(key.retireTime),
                timeText(key.revokeTime),
              ]),
            ) + nextPageText(answer.nextPageToken),
        )
      })
    })
}

interface PrepareOptions extends ConnectionOptions {
  readonly algorithm?: SigningAlgorithm
}

function prepareCommand(): Command {
  return withConnection(new Command('prepare'))
    .description('draw a signing key and put it into the key set; it signs nothing yet')
    .addOption(choice('--algorithm <name>', "the server's unless told", SigningAlgorithmSchema))
    .action(async (options: PrepareOptions) => {
      await withCalls(options, async (calls, output) => {
        const { algorithm } = options
        const answer = await calls.call(KeyService.method.prepareSigningKey, omitUndefined({ algorithm }))
        output.answer(
          () => messageJson(PrepareSigningKeyResponseSchema, answer),
          () => describeKey(answer.key, output),
        )
      })
    })
}

function activateCommand(): Command {
  return withConnection(new Command('activate'))
    .description('let a prepared key sign, and retire the one that did')
    .argument('<key-id>')
    .action(async (keyId: string, options: ConnectionOptions) => {
      await withCalls(options, async (calls, output) => {
        const answer = await calls.call(KeyService.method.activateSigningKey, { keyId })
        output.answer(
          () => messageJson(ActivateSigningKeyResponseSchema, answer),
          () => describeKey(answer.key, output),
        )
      })
    })
}

function retireCommand(): Command {
  return withConnection(new Command('retire'))
    .description('end the signing of a key; what it signed stays good')
    .argument('<key-id>')
    .action(async (keyId: string, options: ConnectionOptions) => {
      await withCalls(options, async (calls, output) => {
        const answer = await calls.call(KeyService.method.retireSigningKey, { keyId })
        output.answer(
          () => messageJson(RetireSigningKeyResponseSchema, answer),
          () => describeKey(answer.key, output),
        )
      })
    })
}

interface RevokeOptions extends ConnectionOptions {
  readonly reason: string
}

function revokeCommand(): Command {
  return withConnection(new Command('revoke'))
    .description('end a key and every token that it signed, from the next call on')
    .argument('<key-id>')
    .option('--reason <text>', 'stands in the audit log', '')
    .action(async (keyId: string, options: RevokeOptions) => {
      await withCalls(options, async (calls, output) => {
        const answer = await calls.call(KeyService.method.revokeSigningKey, { keyId, reason: options.reason })
        output.answer(
          () => messageJson(RevokeSigningKeyResponseSchema, answer),
          () => describeKey(answer.key, output),
        )
      })
    })
}

/** Everything about a signing key, for people. */
function describeKey(key: SigningKey | undefined, output: Output): string {
  if (key === undefined) return ''
  return output.keyValues([
    ['key id', key.keyId],
    ['algorithm', nameOf(SigningAlgorithmSchema, key.algorithm)],
    ['state', nameOf(SigningKeyStateSchema, key.state)],
    ['prepared', `${timeText(key.prepareTime)} by ${key.preparedBy}`],
    ['may sign from', timeText(key.earliestActivateTime)],
    ['activated', timeText(key.activateTime)],
    ['retired', timeText(key.retireTime)],
    ['in the key set until', timeText(key.lastTokenExpireTime)],
    ['revoked', timeText(key.revokeTime)],
  ])
}
