import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { REDIRECT_URI } from '../../setup/grants.ts'
import { BILLING, type OAuthServer, WAREHOUSE } from './oauth-server.ts'

/** Writes the file of settings for a program in another language, with a code to redeem. */
export async function settingsFor(running: OAuthServer, folder: string, name: string): Promise<string> {
  const { clients, courierIdentity, ca, issuer, grants } = running
  const own = join(folder, name)
  mkdirSync(own)
  const caFile = join(own, 'ca.pem')
  writeFileSync(caFile, ca.cert)
  const { code, verifier } = await grants.createCode(clients.shop)
  const credentialsOf = ({ clientId, clientSecret }: { readonly clientId: string; readonly clientSecret: string }) => ({
    client_id: clientId,
    client_secret: clientSecret,
  })
  const file = join(own, 'settings.json')
  const settings = {
    issuer,
    ca_file: caFile,
    cert_file: courierIdentity.certFile,
    key_file: courierIdentity.keyFile,
    orders: credentialsOf(clients.orders),
    warehouse: credentialsOf(clients.warehouse),
    shop: credentialsOf(clients.shop),
    robot_key: running.robotKey.privateKey.export({ format: 'pem', type: 'pkcs8' }),
    robot_jwk: JSON.stringify(running.robotKey.privateKey.export({ format: 'jwk' })),
    robot_key_id: running.robotKey.kid,
    redirect_uri: REDIRECT_URI,
    code,
    code_verifier: verifier,
    audience: WAREHOUSE,
    billing: BILLING,
  }
  writeFileSync(file, JSON.stringify(settings))
  return file
}
