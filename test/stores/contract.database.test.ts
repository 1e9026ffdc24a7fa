import { databaseKinds } from '../setup/fresh-database.ts'
import { storeContract } from './contract.ts'

for (const kind of databaseKinds) storeContract(kind)
