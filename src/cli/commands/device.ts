import { Command } from 'commander'
import {
  ApproveDeviceAuthorizationResponseSchema,
  DenyDeviceAuthorizationResponseSchema,
  type DeviceAuthorization,
  DeviceAuthorizationStateSchema,
  DeviceService,
  GetDeviceAuthorizationResponseSchema,
  RedeemDeviceCodeResponseSchema,
  StartDeviceAuthorizationResponseSchema,
} from '../../gen/qscope/v1/device_service_pb.ts'
import { readWithCalls, withCalls } from '../connection/session.ts'
import { readSecretArgument } from '../input/secret.ts'
import { type ConnectionOptions, nameOf, omitUndefined, repeated, withConnection } from '../options/options.ts'
import { type UserReferenceOptions, userReference, withUserReference } from '../options/user-reference.ts'
import { state } from '../output/cell.ts'
import { durationText, listText, messageJson, type View } from '../output/output.ts'
import { issuedView } from '../views/token.ts'
import { watchCommand } from './device-watch.ts'

const authorizationView: View<DeviceAuthorization> = {
  name: ({ clientId }) => clientId,
  columns: [],
  pairs: (authorization) => [
    ['client id', authorization.clientId],
    ['client name', authorization.clientDisplayName],
    ['state', state(nameOf(DeviceAuthorizationStateSchema, authorization.state))],
    ['scopes', listText(authorization.scopes)],
    ['audiences', listText(authorization.audiences)],
    ['expires', authorization.expireTime],
  ],
}

/** RFC 8628. */
export function deviceCommand(): Command {
  return new Command('device')
    .description('manage device authorizations: as the device, or as the page on which users approve')
    .addCommand(startCommand())
    .addCommand(getCommand())
    .addCommand(approveCommand())
    .addCommand(denyCommand())
    .addCommand(redeemCommand())
    .addCommand(watchCommand())
}

interface StartOptions extends ConnectionOptions {
  readonly scope?: string[]
  readonly audience?: string[]
}

function startCommand(): Command {
  return withConnection(new Command('start'))
    .description('for a device: request a device code and a user code')
    .addOption(repeated('--scope <scope>', 'requested scope (default: all scopes of the client)'))
    .addOption(repeated('--audience <audience>', 'requested audience'))
    .action(async (options: StartOptions) => {
      await withCalls(options, async (calls, output) => {
        const { scope: scopes = [], audience: audiences = [] } = options
        const answer = await calls.call(DeviceService.method.startDeviceAuthorization, { scopes, audiences })
        output.answer({
          document: () => messageJson(StartDeviceAuthorizationResponseSchema, answer),
          text: () =>
            output.pairs([
              ['user code', answer.userCode],
              ['device code', answer.deviceCode],
              ['approve at', answer.verificationUri],
              ['or directly at', answer.verificationUriComplete],
              ['expires in', durationText(answer.expiresIn)],
              ['poll every', durationText(answer.interval)],
            ]),
          names: () => [answer.userCode],
        })
      })
    })
}

interface AttemptOptions extends ConnectionOptions {
  readonly attemptKey?: string
}

function withAttempt(command: Command): Command {
  return withConnection(command)
    .argument('<user-code>', 'code that the user entered')
    .option('--attempt-key <key>', 'key of the user, so that wrong codes of one user do not block others')
}

function getCommand(): Command {
  return withAttempt(new Command('get'))
    .description('for the approval page: show the request of a user code')
    .action(async (userCode: string, options: AttemptOptions) => {
      await readWithCalls(options, async (calls, output) => {
        const request = { userCode, ...omitUndefined({ attemptKey: options.attemptKey }) }
        const answer = await calls.call(DeviceService.method.getDeviceAuthorization, request)
        const document = () => messageJson(GetDeviceAuthorizationResponseSchema, answer)
        output.object(authorizationView, answer.deviceAuthorization, document)
      })
    })
}

interface ApproveOptions extends AttemptOptions, UserReferenceOptions {
  readonly scope?: string[]
}

function approveCommand(): Command {
  return withUserReference(withAttempt(new Command('approve')))
    .description('for the approval page: record that a user consented')
    .addOption(repeated('--scope <scope>', 'approved scope (default: all requested scopes)'))
    .action(async (userCode: string, options: ApproveOptions) => {
      const user = userReference(options)
      await withCalls(options, async (calls, output) => {
        const { attemptKey, scope: scopes = [] } = options
        const request = { userCode, user, scopes, ...omitUndefined({ attemptKey }) }
        const answer = await calls.call(DeviceService.method.approveDeviceAuthorization, request)
        output.answer({
          document: () => messageJson(ApproveDeviceAuthorizationResponseSchema, answer),
          text: () => `approved ${userCode}`,
          names: () => [userCode],
        })
      })
    })
}

function denyCommand(): Command {
  return withAttempt(new Command('deny'))
    .description('for the approval page: record that a user refused')
    .action(async (userCode: string, options: AttemptOptions) => {
      await withCalls(options, async (calls, output) => {
        const request = { userCode, ...omitUndefined({ attemptKey: options.attemptKey }) }
        const answer = await calls.call(DeviceService.method.denyDeviceAuthorization, request)
        output.answer({
          document: () => messageJson(DenyDeviceAuthorizationResponseSchema, answer),
          text: () => `denied ${userCode}`,
          names: () => [userCode],
        })
      })
    })
}

interface RedeemOptions extends ConnectionOptions {
  readonly audience?: string[]
}

function redeemCommand(): Command {
  return withConnection(new Command('redeem'))
    .description('for a device: poll once for the token of a device code')
    .argument('<device-code>', 'the code, or - to read standard input')
    .addOption(repeated('--audience <audience>', 'requested audience, from those of the authorization'))
    .action(async (text: string, options: RedeemOptions) => {
      const deviceCode = await readSecretArgument(text, 'device code')
      await withCalls(options, async (calls, output) => {
        const request = { deviceCode, audiences: options.audience ?? [] }
        const answer = await calls.call(DeviceService.method.redeemDeviceCode, request)
        output.object(issuedView, answer.token, () => messageJson(RedeemDeviceCodeResponseSchema, answer))
      })
    })
}
