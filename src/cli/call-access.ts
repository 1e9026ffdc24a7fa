import { type DescMessage, type DescMethodUnary, getOption, type MessageInitShape } from '@bufbuild/protobuf'
import { ClientAuthenticationSchema } from '../gen/qscope/v1/client_authentication_pb.ts'
import { type Access, access } from '../gen/qscope/v1/options_pb.ts'
import type { CallCredentials } from './calls.ts'

export type AnyMethod<
  Input extends DescMessage = DescMessage,
  Output extends DescMessage = DescMessage,
> = DescMethodUnary<Input, Output>

/** The rule of a method, as the proto says. */
export function accessOf(method: AnyMethod): Access {
  return getOption(method, access)
}

/** The request with the client's credentials in it, where its method has a place for them. */
export function withClient<Input extends DescMessage>(
  method: AnyMethod<Input>,
  request: MessageInitShape<Input>,
  { client }: CallCredentials,
): MessageInitShape<Input> {
  const field = method.input.field['client']
  if (client === null || field?.message?.typeName !== ClientAuthenticationSchema.typeName) return request
  const proof =
    client.clientSecret === null ? {} : { method: { case: 'clientSecret' as const, value: client.clientSecret } }
  return { ...request, client: { clientId: client.clientId, ...proof } }
}
