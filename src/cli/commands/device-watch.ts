import { Command } from 'commander'
import {
  DeviceAuthorizationState,
  DeviceAuthorizationStateSchema,
  DeviceService,
  type WatchDeviceAuthorizationResponse,
  WatchDeviceAuthorizationResponseSchema,
} from '../../gen/qscope/v1/device_service_pb.ts'
import type { Calls } from '../connection/calls.ts'
import { withCalls } from '../connection/session.ts'
import { readSecretArgument } from '../input/secret.ts'
import { withExample } from '../options/example.ts'
import { type ConnectionOptions, nameOf, withConnection } from '../options/options.ts'
import { state } from '../output/cell.ts'
import { messageJson } from '../output/output.ts'
import { issuedPairs } from '../views/token.ts'

export function watchCommand(): Command {
  const command = withConnection(new Command('watch'))
    .description('for a device: wait until the user decides, and print the token; exit code 1 if there is none')
    .argument('<device-code>', 'the code, or - to read standard input')
    .action(async (text: string, options: ConnectionOptions) => {
      const deviceCode = await readSecretArgument(text, 'device code')
      await withCalls(options, async (calls, output) => {
        const decision = await decisionOf(calls, deviceCode)
        const { token } = decision
        output.answer({
          document: () => messageJson(WatchDeviceAuthorizationResponseSchema, decision),
          text: () =>
            output.pairs([
              ['state', state(nameOf(DeviceAuthorizationStateSchema, decision.state))],
              ...(token === undefined ? [] : issuedPairs(token)),
            ]),
          names: () => (token === undefined ? [] : [token.tokenId]),
        })
        if (decision.state !== DeviceAuthorizationState.APPROVED) process.exitCode = 1
      })
    })
  return withExample(command, 'qscope device watch - --client-id tv < device-code')
}

/** The last answer of the stream. Earlier answers report that the decision is pending. */
async function decisionOf(calls: Calls, deviceCode: string): Promise<WatchDeviceAuthorizationResponse> {
  const method = DeviceService.method.watchDeviceAuthorization
  for await (const answer of calls.stream(method, { deviceCode }, new AbortController().signal)) {
    if (answer.state !== DeviceAuthorizationState.PENDING) return answer
  }
  throw new Error('the server ended the stream before the user decided: run the command again')
}
