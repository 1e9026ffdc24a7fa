import { execFile, execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { blocksOf } from '../docs/page.ts'
import { installed } from '../setup/installed.ts'
import { missing } from '../setup/requirement.ts'
import { ROOT } from './documents.ts'
import { unit, variableLines } from './unit-file.ts'

const PAGE = readFileSync(join(ROOT, 'docs', 'systemd.md'), 'utf8')
const TIMEOUT_MS = 300_000
/** The highest exposure, of 10, as the page says, rounded up. */
const MOST_EXPOSURE = 1.2

const analyze = installed('systemd-analyze')
if (analyze === null) missing('systemd-analyze', 'what systemd says of the unit', 'install Debian\'s "systemd"')
const canIsolate = isolates()

/** Whether mount and network namespaces can be created. */
function isolates(): boolean {
  try {
    execFileSync('unshare', ['--mount', '--net', 'ip', 'link', 'set', 'lo', 'up'], { stdio: 'pipe' })
    return true
  } catch (error) {
    missing('netns', 'the page about systemd', 'needs root, unshare and ip', error)
    return false
  }
}

/**
 * Namespaces with separate folders, users and ports, and with QScope as `npm install --prefix /opt/qscope` installs it:
 * the command line and a Node.js.
 */
const MACHINE = String.raw`
set -eu
ip link set lo up
mount -t tmpfs own /mnt && cp -a /etc /mnt/etc && mkdir -p /mnt/etc/systemd/system && mount --bind /mnt/etc /etc
mount -t tmpfs lib /var/lib && mount -t tmpfs opt /opt
mkdir -p /opt/checkout /opt/qscope/node_modules/.bin
mount --bind "$CHECKOUT" /opt/checkout
touch /opt/node && mount --bind "$NODE" /opt/node
printf '#!/bin/sh\nexec /opt/node /opt/checkout/src/main.ts "$@"\n' > /opt/qscope/node_modules/.bin/qscope
chmod 755 /opt/qscope/node_modules/.bin/qscope
cd /opt/checkout
`

/** Runs lines in a shell in these namespaces; throws their errors. */
async function onMachine(...lines: readonly string[]): Promise<string> {
  const env = { PATH: process.env['PATH'] ?? '', CHECKOUT: ROOT, NODE: process.execPath }
  const script = [MACHINE, ...lines].join('\n')
  const { stdout } = await promisify(execFile)('unshare', ['--mount', '--net', 'bash', '-c', script], { env })
  return stdout
}

/** The shell blocks of the page under a heading. */
function blocksUnder(heading: string): readonly string[] {
  const section = PAGE.slice(PAGE.indexOf(`## ${heading}\n`)).split(/^## /m)[1] ?? ''
  const shell = blocksOf(section).filter(({ language }) => language === 'sh')
  if (shell.length === 0) throw new Error(`the page has no commands under ${heading}`)
  return shell.map(({ text }) => text)
}

/** Starts the unit as systemd would, as far as a shell can: user, folder, variables, no privileges, a restricted `/proc`. */
const START = [
  `umask ${unit.the('UMask')}`,
  `unshare --mount bash -c 'mount -t proc -o subset=pid,hidepid=invisible proc /proc && exec "$@"' - \\`,
  `  setpriv --reuid ${unit.the('User')} --regid ${unit.the('Group')} --clear-groups --no-new-privs --bounding-set=-all \\`,
  `  env -i -C ${unit.the('WorkingDirectory')} ${[...unit.all('Environment'), ...variableLines].join(' ')} \\`,
  `  ${unit.the('ExecStart')} > /mnt/out 2> /mnt/log &`,
  'server=$!',
  // Also when the script fails.
  'trap "kill -KILL $server 2> /dev/null || true" EXIT',
].join('\n')

describe.skipIf(!canIsolate)('docs/systemd.md', () => {
  it(
    'installs a server that serves, reloads and stops as a user without privileges',
    async () => {
      const printed = await onMachine(
        ...blocksUnder('Install'),
        ...blocksUnder('Create the schema and the first client'),
        START,
        'ready() { health=$(qscope health 2>&1); }',
        // Fails if the server has ended.
        'until ready; do kill -0 $server; sleep 0.2; done',
        'echo "health $health"',
        'stat -c "file %n %U %a" /var/lib/qscope /var/lib/qscope/qscope.db /var/lib/qscope/qscope.keyring.json',
        'grep -E "^(Uid|CapBnd|NoNewPrivs):" /proc/$server/status',
        'kill -HUP $server',
        'until grep -q reloaded /mnt/log; do kill -0 $server; sleep 0.2; done',
        'kill -TERM $server; wait $server && echo "ended $?"',
        'cat /mnt/out',
        'id -u qscope',
      )
      expect(printed).toContain('client secret')
      expect(printed).toContain('health SERVING')
      expect(printed).toContain('file /var/lib/qscope qscope 700\n')
      expect(printed).toContain('file /var/lib/qscope/qscope.db qscope 600\n')
      expect(printed).toContain('file /var/lib/qscope/qscope.keyring.json qscope 600\n')
      const uid = printed.trim().split('\n').at(-1)
      expect(printed).toMatch(new RegExp(`Uid:\\s+${uid}\\s+${uid}\\s`))
      expect(printed).toMatch(/CapBnd:\s+0+\n/)
      expect(printed).toMatch(/NoNewPrivs:\s+1\n/)
      expect(printed).toContain('ended 0')
      // The output of the server goes to the journal. It contains no secret, since there is a client already.
      const [, output = ''] = printed.split('ended 0')
      expect(output).toContain('QScope listens on')
      expect(output).not.toContain('qcs_')
    },
    TIMEOUT_MS,
  )

  it.skipIf(analyze === null)(
    'has a unit that passes systemd-analyze verify, with the exposure of the page',
    async () => {
      await onMachine(
        ...blocksUnder('Install'),
        'systemd-analyze verify /etc/systemd/system/qscope.service 2>&1 | { ! grep -i qscope; }',
        `systemd-analyze security --offline=true --threshold=${MOST_EXPOSURE * 10} /etc/systemd/system/qscope.service`,
      )
      expect(PAGE).toContain(`rates the exposure at ${MOST_EXPOSURE} of 10`)
      expect(existsSync('/etc/systemd/system/qscope.service')).toBe(false)
    },
    TIMEOUT_MS,
  )

  it.skipIf(analyze === null)(
    'is checked by a systemd-analyze that finds an unknown setting',
    async () => {
      const judged = onMachine(
        ...blocksUnder('Install'),
        'sed -i "s/^PrivateTmp=/PrivatTmp=/" /etc/systemd/system/qscope.service',
        'systemd-analyze verify /etc/systemd/system/qscope.service 2>&1 | { ! grep -i qscope; }',
      )
      await expect(judged).rejects.toThrow()
    },
    TIMEOUT_MS,
  )
})
