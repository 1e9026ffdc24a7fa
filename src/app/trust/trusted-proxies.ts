import { TrustedProxies } from '../../auth/forwarded-certificate/trusted-proxies.ts'
import type { Config } from '../../config/config.ts'
import type { TlsSource } from '../../transports/tls.ts'

/**
 * The proxies that the configuration names. Their certificates are verified against the client CA, also after it is
 * replaced. `null`: no proxy is configured.
 */
export function trustedProxiesOf(
  { trustedProxies }: Pick<Config, 'trustedProxies'>,
  tls: TlsSource | null,
): TrustedProxies | null {
  const clientCa = tls?.material.clientCa ?? null
  const { sockets, alternativeNames } = trustedProxies
  if (sockets.length + alternativeNames.length === 0 || tls === null || clientCa === null) return null
  const proxies = new TrustedProxies({ sockets, alternativeNames, clientCa })
  tls.onReplaced((material) => {
    if (material.clientCa !== null) proxies.replaceClientCa(material.clientCa)
  })
  return proxies
}
