/** For suites that fail at authentication, mint and report leaks far more often than anyone may, all from one address. */
export const LIMITS_OFF = Object.freeze({
  QSCOPE_AUTHENTICATION_FAILURES_PER_CLIENT: 'off',
  QSCOPE_AUTHENTICATION_FAILURES_PER_PEER: 'off',
  QSCOPE_MINT_RATE: 'off',
  QSCOPE_LEAK_REPORT_RATE: 'off',
})
