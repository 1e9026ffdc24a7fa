/** `@qscope/client`: everything that does not depend on how calls travel. */
export type { CallOptions, Channel } from './channel.ts'
export { authenticationOf, type ClientProof } from './client-proof.ts'
export {
  authorizeDevice,
  type DeviceAuthorizationOptions,
  type DeviceOutcome,
  type DevicePrompt,
} from './device-authorization.ts'
export { type AssertionFile, federatedJwt } from './federated-jwt.ts'
export { type PrivateKey, privateKeyJwt } from './private-key-jwt.ts'
export { type FieldViolation, QScopeError, type QuotaViolation, type Reason } from './qscope-error.ts'
export type { StatusName } from './status-name.ts'
export type { AccessToken, TokenSource } from './tokens/access-token.ts'
export { type ClientCredentialsOptions, clientCredentials } from './tokens/client-credentials.ts'
export type { Watchers } from './tokens/kept-token.ts'
export { UncertainRefreshError } from './tokens/uncertain-refresh-error.ts'
export { type SavedTokens, type UserSession, type UserSessionOptions, userSession } from './tokens/user-session.ts'
export type { RequireTokenOptions } from './verification/admission.ts'
export {
  CachingVerifier,
  type CachingVerifierOptions,
  type CachingVerifierState,
  cachingVerifier,
  type PresentedTokenFor,
  VerifierClosedError,
} from './verification/caching/caching-verifier.ts'
export type { Clock } from './verification/caching/clock.ts'
export {
  grpcKeySet,
  type HttpKeySetOptions,
  httpKeySet,
  type KeySet,
  KeySetUnavailableError,
} from './verification/key-set.ts'
export { type AudienceRule, type MethodAccess, type MethodRule, methodAccess } from './verification/method-access.ts'
export { type OfflineVerifierOptions, offlineVerifier } from './verification/offline-verifier.ts'
export { type OnlineVerifierOptions, onlineVerifier } from './verification/online-verifier.ts'
export type { Caller } from './verification/token-question.ts'
export type { PresentedToken, TokenVerifier } from './verification/token-verifier.ts'
export type { VerifiedToken } from './verification/verified-token.ts'
