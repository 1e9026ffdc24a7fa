import { X509Certificate } from 'node:crypto'
import type { Config } from '../../config/config.ts'
import { messageOf } from '../../message-of.ts'
import { assertUsable, readTlsFiles } from '../trust/tls-files.ts'
import type { Finding } from './finding.ts'

const DAY = 86_400_000
/** Automated renewals happen earlier than this. */
const SOON_DAYS = 14

/** The state of the TLS files for a server: whether they match, how long they are valid, and for which names. */
export async function tlsFindings({ tls, issuer }: Config, now = Date.now()): Promise<readonly Finding[]> {
  if (tls === null) return [{ check: 'tls', state: 'ok', finding: 'off: calls are sent in plaintext', advice: null }]
  const findings: Finding[] = []
  try {
    const material = await readTlsFiles(tls)
    assertUsable(material, tls)
    const certificate = new X509Certificate(material.cert)
    findings.push(expiryFinding('tls', 'the certificate', certificate, now), namesFinding(certificate, issuer))
    if (material.clientCa !== null) {
      const ca = new X509Certificate(material.clientCa)
      findings.push(expiryFinding('tls clients', `${tls.clientAuth}: the CA for clients`, ca, now))
    }
  } catch (error) {
    const finding = messageOf(error)
    findings.push({
      check: 'tls',
      state: 'problem',
      finding,
      advice: 'correct the file; the server does not start with it',
    })
  }
  return findings
}

function expiryFinding(check: string, what: string, { validFrom, validTo }: X509Certificate, now: number): Finding {
  const from = Date.parse(validFrom)
  const to = Date.parse(validTo)
  const day = (moment: number) => new Date(moment).toISOString().slice(0, 10)
  if (now < from) {
    return {
      check,
      state: 'problem',
      finding: `${what} is not valid before ${day(from)}`,
      advice: 'check the clocks of this machine and of the CA',
    }
  }
  if (now > to) return { check, state: 'problem', finding: `${what} expired on ${day(to)}`, advice: 'renew it' }
  const finding = `${what} matches its key and expires on ${day(to)}`
  return to - now < SOON_DAYS * DAY
    ? { check, state: 'warning', finding, advice: 'renew it; the server loads the new files by itself' }
    : { check, state: 'ok', finding, advice: null }
}

function namesFinding(certificate: X509Certificate, issuer: string): Finding {
  const { hostname } = new URL(issuer)
  const host = hostname.replace(/^\[(.*)\]$/, '$1')
  const covered = certificate.checkHost(host) !== undefined || certificate.checkIP(host) !== undefined
  const finding = `for ${certificate.subjectAltName ?? 'no names'}`
  return covered
    ? { check: 'tls names', state: 'ok', finding, advice: null }
    : {
        check: 'tls names',
        state: 'warning',
        finding: `${finding}, not for ${host}, the host of the issuer`,
        advice: 'add the host to the certificate; callers that connect to the issuer refuse this one',
      }
}
