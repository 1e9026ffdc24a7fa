import { join } from 'node:path'

const USER = 'qscope_test'
const PASSWORD = 'qscope_test'

/** SQL that creates the test user, run at the start of MySQL and MariaDB. */
export const TEST_USER_SQL = `CREATE USER IF NOT EXISTS '${USER}'@'%' IDENTIFIED BY '${PASSWORD}';
GRANT ALL ON *.* TO '${USER}'@'%' WITH GRANT OPTION;
`

/** The URL of the test user. Default host: this machine. */
export function urlOfMysql(port: number, host = '127.0.0.1'): string {
  return `mysql://${USER}:${PASSWORD}@${host}:${port}/`
}

/** Options that keep a server's files in its directory. */
export function placesIn(directory: string): readonly string[] {
  return [
    `--datadir=${join(directory, 'data')}`,
    `--socket=${join(directory, 'socket')}`,
    `--pid-file=${join(directory, 'pid')}`,
    // A starting server removes the temporary tables of all servers that share the directory.
    `--tmpdir=${directory}`,
  ]
}
