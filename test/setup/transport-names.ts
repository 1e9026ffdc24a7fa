/** The gRPC transports. Every suite runs on the first one. */
export const TRANSPORTS = ['native', 'grpc-js'] as const

export type TransportName = (typeof TRANSPORTS)[number]

/** The suites that define what a transport must do. They run on all transports. */
export const TRANSPORT_SUITES: readonly string[] = [
  'test/transports/grpc/**/*',
  'test/rpc/ext-authz/**/*',
  'test/attacks/raw-port.storm',
  'test/attacks/floods.storm',
]

/** Suites with server processes and third-party clients. They run on other transports if `QSCOPE_TEST_TRANSPORTS` names these. */
const SUITES_OF_SERVERS: readonly string[] = [
  'test/e2e/**/*',
  'test/interop/**/*',
  'test/attacks/beside-honest-calls.storm',
]

/** The suites that run on a transport other than the first. */
export function suitesOn(transport: TransportName): readonly string[] {
  const asked: readonly string[] = process.env['QSCOPE_TEST_TRANSPORTS']?.split(',') ?? []
  const unknown = asked.filter((name) => !TRANSPORTS.some((each) => each === name))
  if (unknown.length > 0) throw new Error(`QSCOPE_TEST_TRANSPORTS names ${unknown.join()}; known: ${TRANSPORTS.join()}`)
  return asked.includes(transport) ? [...TRANSPORT_SUITES, ...SUITES_OF_SERVERS] : TRANSPORT_SUITES
}

/** The transport of this run. */
export function testedTransportName(): TransportName {
  const wanted = process.env['QSCOPE_GRPC_TRANSPORT'] ?? TRANSPORTS[0]
  const found = TRANSPORTS.find((name) => name === wanted)
  if (found === undefined) throw new Error(`QSCOPE_GRPC_TRANSPORT should be one of ${TRANSPORTS.join(', ')}`)
  return found
}

/** The variable for a server process. Empty for the default transport. */
export function transportVariables(): Readonly<Record<string, string>> {
  const name = testedTransportName()
  return name === TRANSPORTS[0] ? {} : { QSCOPE_GRPC_TRANSPORT: name }
}
