import { rate, wholeNumber } from './value-types.ts'
import { Variable } from './variable.ts'

/** The limits for clients and addresses, for each process. `null`: no limit. */
export const LIMIT_VARIABLES = {
  mintRate: new Variable('QSCOPE_MINT_RATE', rate('100/s', 500).note('for the tokens of each client').orOff(), {
    default: '10000/s:20000',
    does: 'Limits the rate of tokens without a user that each client is issued, in each process.',
  }),
  maxLiveTokensPerClient: new Variable(
    'QSCOPE_MAX_LIVE_TOKENS_PER_CLIENT',
    wholeNumber(1, 1_000_000_000).note('for each client').orOff(),
    {
      default: 'off',
      example: '100000',
      does: 'Limits the active access tokens of one client. At the limit, the client gets no further tokens by client credentials, token exchange or assertions.',
    },
  ),
  authenticationFailuresPerClient: new Variable(
    'QSCOPE_AUTHENTICATION_FAILURES_PER_CLIENT',
    rate('60/m', 100).note('for each client from each address').orOff(),
    {
      default: '60/m:100',
      does: 'Limits failed authentications as one client from one address. Further attempts are refused without a check.',
    },
  ),
  authenticationFailuresPerPeer: new Variable(
    'QSCOPE_AUTHENTICATION_FAILURES_PER_PEER',
    rate('600/m', 1_000).note('for each address').orOff(),
    {
      default: '600/m:1000',
      does: 'Limits failed authentications from one address, for all clients together.',
    },
  ),
  deviceStartRate: new Variable(
    'QSCOPE_DEVICE_START_RATE',
    rate('60/m', 100).note('for public clients from each address').orOff(),
    {
      default: '60/m:60',
      does: 'Limits the rate at which one address starts device authorizations for public clients.',
    },
  ),
  leakReportRate: new Variable('QSCOPE_LEAK_REPORT_RATE', rate('60/m', 100).note('for each address').orOff(), {
    default: '60/m:60',
    does: 'Limits the rate at which one address reports leaked tokens, valid or not.',
  }),
  maxPendingDeviceAuthorizations: new Variable(
    'QSCOPE_MAX_PENDING_DEVICE_AUTHORIZATIONS',
    wholeNumber(1, 1_000_000).note('for each client'),
    {
      default: '1000',
      does: 'Limits the pending device authorizations of one client.',
    },
  ),
  maxPendingDeviceAuthorizationsPerPeer: new Variable(
    'QSCOPE_MAX_PENDING_DEVICE_AUTHORIZATIONS_PER_PEER',
    wholeNumber(1, 1_000_000).note("for each public client from each address; at most half of the client's"),
    {
      default: '100',
      does: 'Limits the pending device authorizations that one address has started, so that it cannot use up the limit of the client.',
    },
  ),
  maxTrustedIssuers: new Variable(
    'QSCOPE_MAX_TRUSTED_ISSUERS',
    wholeNumber(1, 100_000).note('in the database; issuers of the file do not count'),
    {
      default: '1000',
      does: 'Limits the trusted issuers that can be created through the API.',
    },
  ),
  maxWatchesPerPeer: new Variable('QSCOPE_MAX_WATCHES_PER_PEER', wholeNumber(1, 1_000_000).note('for each address'), {
    default: '1000',
    does: 'Limits the open WatchDeviceAuthorization streams of one address.',
  }),
  maxWaitingPolls: new Variable('QSCOPE_MAX_WAITING_POLLS', wholeNumber(1, 1_000_000).note('in each process'), {
    default: '10000',
    does: 'Limits the PollRevocations calls that wait in each process.',
  }),
  maxWaitingPollsPerClient: new Variable(
    'QSCOPE_MAX_WAITING_POLLS_PER_CLIENT',
    wholeNumber(1, 1_000_000).note('for each client'),
    {
      default: '2000',
      does: 'Limits the PollRevocations calls of one client that wait in each process.',
    },
  ),
  maxWaitingPollsPerPeer: new Variable(
    'QSCOPE_MAX_WAITING_POLLS_PER_PEER',
    wholeNumber(1, 1_000_000).note('for each address'),
    {
      default: '2000',
      does: 'Limits the PollRevocations calls of one address that wait in each process.',
    },
  ),
  maxAuditWatches: new Variable('QSCOPE_MAX_AUDIT_WATCHES', wholeNumber(1, 100_000).note('in each process'), {
    default: '100',
    does: 'Limits the open WatchAuditEvents streams in each process. One client may have half of them.',
  }),
}
