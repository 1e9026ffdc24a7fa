import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'

const ISSUER = 'https://kubernetes.default.svc.cluster.local'
const SUBJECT = 'system:serviceaccount:shop:checkout'

/** What a server is told about a cluster, and the token of a service account that stands for the client `shop` there. */
export async function trustedWorkload(directory: string) {
  const { publicKey, privateKey } = await generateKeyPair('ES256')
  const keys = [{ ...(await exportJWK(publicKey)), kid: 'one', alg: 'ES256', use: 'sig' }]
  const rules = [{ claims: { sub: SUBJECT }, client_id: 'shop', scopes: ['cart.read'] }]
  const issuer = { issuer: ISSUER, jwks_file: 'cluster.jwks.json', audience: 'qscope', rules }
  await writeFile(join(directory, 'cluster.jwks.json'), JSON.stringify({ keys }))
  const issuersFile = join(directory, 'issuers.json')
  await writeFile(issuersFile, JSON.stringify({ issuers: [issuer] }))
  const assertion = await new SignJWT({})
    .setProtectedHeader({ alg: 'ES256', kid: 'one' })
    .setIssuer(ISSUER)
    .setSubject(SUBJECT)
    .setAudience('qscope')
    .setExpirationTime('1h')
    .sign(privateKey)
  return { issuersFile, assertion }
}
