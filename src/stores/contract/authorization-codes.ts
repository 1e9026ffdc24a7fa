import type { AuthorizationCode, AuthorizationCodeStatus } from '../../domain/authorization-code.ts'
import type { AuthorizationCodeId, EpochMs, TokenHash } from '../../domain/ids.ts'
import type { StoreContext } from './context.ts'

export interface AuthorizationCodeReads {
  findByHash(ctx: StoreContext, hash: TokenHash): Promise<AuthorizationCodeStatus | null>
}

export interface AuthorizationCodeStore extends AuthorizationCodeReads {
  insert(code: AuthorizationCode): Promise<void>
  /** Spends a code. Of any number of concurrent calls, exactly one returns `true`. */
  consume(codeId: AuthorizationCodeId, at: EpochMs): Promise<boolean>
}
