/** For suites that exceed the limits for failed authentications, mints and reports of leaks from one address. */
export const LIMITS_OFF = Object.freeze({
  QSCOPE_AUTHENTICATION_FAILURES_PER_CLIENT: 'off',
  QSCOPE_AUTHENTICATION_FAILURES_PER_PEER: 'off',
  QSCOPE_MINT_RATE: 'off',
  QSCOPE_LEAK_REPORT_RATE: 'off',
})
