import { mysqlDatabases } from '../setup/fresh-database.ts'
import { storeContract } from './contract.ts'

storeContract(mysqlDatabases)
