import { postgresDatabases } from '../setup/fresh-database.ts'
import { storeContract } from './contract.ts'

storeContract(postgresDatabases)
