import { describe, expect, test } from 'vitest'
import { databaseErrorOf as mysqlError } from '../../src/stores/sql/dialects/mysql/errors.ts'
import { databaseErrorOf as postgresError } from '../../src/stores/sql/dialects/postgres/errors.ts'
import { databaseErrorOf as sqliteError } from '../../src/stores/sql/dialects/sqlite/errors.ts'

describe('an error of MySQL or MariaDB', () => {
  test.each([
    ['unavailable', [1015, 1016, 1021, 1024, 1026, 1028, 1037, 1038, 1040, 1041, 1104, 1114, 1119, 1129, 1135, 1197]],
    ['unavailable', [1203, 1206, 1226, 1317, 1436, 1598, 1637, 1969, 3024]],
    ['lost', [1047, 1053, 1158, 1159, 1160, 1161, 1184, 1243, 1290, 1461, 1615, 1792, 1836, 1874, 1927, 3032, 3169]],
    ['lost', [3100, 3796, 3797, 3798, 3799]],
    ['conflict', [1020, 1205, 1213, 1412, 1614, 3101, 3572]],
    ['broken', [1044, 1045, 1054, 1142, 1143, 1146, 1227, 1370]],
    ['duplicate', [1062, 1586]],
    ['refused', [1048, 1264, 1366, 1406, 1451, 1452, 1644, 4025]],
  ] as const)('is %s: %j', (kind, codes) => {
    for (const errno of codes) {
      expect([errno, mysqlError(Object.assign(new Error('said'), { errno })).kind]).toEqual([errno, kind])
    }
  })

  test.each([
    ['Got error 28 "No space left on device" from storage engine InnoDB', 'unavailable'],
    ['Got error 5 "Input/output error" from storage engine InnoDB', 'unavailable'],
    ['Got error 149 "Lock deadlock; Retry transaction" from storage engine InnoDB', 'conflict'],
    ['Got error 126 "Index file is crashed" from storage engine InnoDB', 'broken'],
    ['Got error 149 - "Lock deadlock; Retry transaction" during COMMIT', 'conflict'],
    ['Got error 28 - "No space left on device" during COMMIT', 'unavailable'],
  ])("of the engine is classified by the engine's code: %s", (message, kind) => {
    for (const errno of [1030, 1180]) {
      expect(mysqlError(Object.assign(new Error(message), { errno })).kind).toBe(kind)
    }
  })
})

test.each([
  ['unavailable', ['53000', '53100', '53200', '53300', '53400', '55000', '55006', '57000', '57014', '58000', '58030']],
  ['lost', ['08000', '08006', '25006', '25P03', '26000', '57P01', '57P02', '57P03', '57P05']],
  ['conflict', ['40001', '40P01', '55P03', '72000']],
  ['broken', ['42501', '42P01', '42703', '58P01', 'XX001', 'XX002']],
  ['duplicate', ['23505']],
  ['refused', ['22001', '23503', '23514']],
  ['outcome_unknown', ['40003']],
] as const)('an error of PostgreSQL is %s: %j', (kind, codes) => {
  for (const code of codes) {
    expect([code, postgresError(Object.assign(new Error('said'), { code })).kind]).toEqual([code, kind])
  }
})

test.each([
  ['unavailable', ['FULL', 'NOMEM', 'IOERR_WRITE', 'IOERR_READ', 'IOERR_NOMEM', 'IOERR_SHMSIZE', 'CANTOPEN']],
  ['unavailable', ['CANTOPEN_ISDIR', 'READONLY', 'READONLY_DBMOVED', 'READONLY_ROLLBACK', 'NOLFS', 'INTERRUPT']],
  ['busy', ['BUSY', 'BUSY_SNAPSHOT', 'BUSY_RECOVERY', 'LOCKED', 'LOCKED_SHAREDCACHE', 'PROTOCOL']],
  ['outcome_unknown', ['IOERR_FSYNC', 'IOERR_DIR_FSYNC']],
  ['broken', ['CORRUPT', 'CORRUPT_INDEX', 'NOTADB', 'IOERR_CORRUPTFS', 'IOERR_DATA']],
] as const)('an error of SQLite is %s: %j', (kind, codes) => {
  for (const code of codes) {
    const trouble = sqliteError({ code: `SQLITE_${code}`, message: 'said' }, '/d/qscope.db')
    expect([code, trouble.kind]).toEqual([code, kind])
  }
})

describe('the message names the place to check', () => {
  const mysql = (error: object) => mysqlError(Object.assign(new Error('said'), error)).message
  const postgres = (error: object) => postgresError(Object.assign(new Error('said'), error)).message

  test('the login, if the database rejects the user', () => {
    for (const errno of [1045, 1049, 1130, 1698])
      expect(mysql({ errno })).toMatch(/refuses the login of QScope .*: said$/)
    for (const code of ['28P01', '28000', '3D000'])
      expect(postgres({ code })).toMatch(/refuses the login of QScope .*: said$/)
  })

  test('the grants, if it accepts the user', () => {
    for (const errno of [1044, 1142]) expect(mysql({ errno })).toMatch(/docs\/databases\.md has the grants.*: said$/)
    expect(postgres({ code: '42501' })).toMatch(/docs\/databases\.md has the grants.*: said$/)
  })

  test('host and port, if there was no connection; an existing connection is lost', () => {
    for (const says of [mysql, postgres]) {
      for (const code of ['ECONNREFUSED', 'ENOTFOUND', 'ETIMEDOUT']) {
        expect(says({ code })).toBe(
          'the database cannot be reached: said; check the host and port in QSCOPE_DATABASE_URL, and that the database server is running',
        )
      }
      expect(says({ code: 'ECONNRESET' })).toBe('the connection to the database is lost: said')
    }
  })
})
