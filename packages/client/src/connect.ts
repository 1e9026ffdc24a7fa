/** `@qscope/client/connect`: QScope's clients and servers on Connect. */
export { type AttachTokenOptions, attachToken } from './connect/attach-token.ts'
export { connectChannel } from './connect/channel.ts'
export { peerCertificateValues } from './connect/peer-certificate.ts'
export { type RefusePlaintextOptions, refusePlaintext } from './connect/refuse-plaintext.ts'
export { requireToken, verifiedToken } from './connect/require-token.ts'
