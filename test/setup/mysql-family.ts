import { join } from 'node:path'

const USER = 'qscope_test'
const PASSWORD = 'qscope_test'

/** What MySQL and MariaDB run at a start, so that the tests' user is there. */
export const TEST_USER_SQL = `CREATE USER IF NOT EXISTS '${USER}'@'%' IDENTIFIED BY '${PASSWORD}';
GRANT ALL ON *.* TO '${USER}'@'%' WITH GRANT OPTION;
`

/** The URL of the tests' user on a port, of this machine unless told otherwise. */
export function urlOfMysql(port: number, host = '127.0.0.1'): string {
  return `mysql://${USER}:${PASSWORD}@${host}:${port}/`
}

/** The options that keep a server's files in its directory. */
export function placesIn(directory: string): readonly string[] {
  return [
    `--datadir=${join(directory, 'data')}`,
    `--socket=${join(directory, 'socket')}`,
    `--pid-file=${join(directory, 'pid')}`,
    // A server that starts removes the temporary tables of all that share the directory for them.
    `--tmpdir=${directory}`,
  ]
}
