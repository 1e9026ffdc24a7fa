/**
 * A bearer value or secret of ours, whole or mistyped or cut short, or a JWT: it
 * may stand anywhere in a text, such as a client id, if somebody mistook a field.
 */
const SECRET = /q(?:at|rt|ac|dc|cs)_[0-9A-Za-z]{8}|eyJ[\w-]{8,}\.eyJ[\w-]{8,}\./

/** Whether a text that is no secret by its place holds one all the same. */
export function holdsSecret(text: string): boolean {
  return SECRET.test(text)
}
