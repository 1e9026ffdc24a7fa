import { hashToken, readToken } from '../../crypto/token.ts'
import type { Client } from '../../domain/client.ts'
import { type DeviceAuthorizationStatus, type DeviceState, deviceStateOf } from '../../domain/device-authorization.ts'
import { fail, success } from '../../results.ts'
import { condition } from '../condition.ts'

export interface PresentedDeviceCode {
  /** As the device shows it; any string. */
  readonly presentedCode: string
}

export interface OwnDevice {
  readonly device: DeviceAuthorizationStatus
  readonly state: DeviceState
}

/** RFC 8628 §3.4: the device code exists and was issued to this client. */
export const deviceCodeIsOwn = condition<PresentedDeviceCode & { readonly client: Client }, OwnDevice>(
  'deviceCodeIsOwn',
  async (ctx, { presentedCode, client }) => {
    const read = readToken(presentedCode)
    if (read?.kind !== 'device_code') return fail('oauth.invalid_grant')
    const device = await ctx.stores.deviceAuthorizations.findByDeviceCode(ctx, hashToken(read.token))
    if (device?.authorization.clientId !== client.clientId) return fail('oauth.invalid_grant')
    return success({ device, state: deviceStateOf(device, ctx.now) })
  },
)
