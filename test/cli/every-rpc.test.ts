import { expect, test } from 'vitest'
import { METHODS } from '../../scripts/service-config.ts'
import { everyCommand } from './every-command.ts'
import { RPCS_OF_COMMANDS, RPCS_WITHOUT_COMMAND } from './rpcs-of-commands.ts'

// That a command calls the RPCs that it is listed with is tested where each answers in every form of -o.
test('every RPC of the contract has a command, or a reason why there is none', () => {
  const told = [...Object.values(RPCS_OF_COMMANDS).flat(), ...Object.keys(RPCS_WITHOUT_COMMAND)]
  expect(told.toSorted()).toEqual(METHODS.map(({ name }) => name).toSorted())
})

test('every command with an RPC is one of the program', () => {
  const commands = everyCommand()
  expect(Object.keys(RPCS_OF_COMMANDS).filter((name) => !commands.has(name))).toEqual([])
})
