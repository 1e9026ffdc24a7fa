import { expect, test } from 'vitest'
import { METHODS } from '../../scripts/service-config.ts'
import { everyCommand } from './every-command.ts'
import { RPCS_OF_COMMANDS, RPCS_WITHOUT_COMMAND } from './rpcs-of-commands.ts'

// The test of every output format checks that a command calls its listed RPCs.
test('every RPC of the contract has a command, or a reason why there is none', () => {
  const told = [...Object.values(RPCS_OF_COMMANDS).flat(), ...Object.keys(RPCS_WITHOUT_COMMAND)]
  expect(told.toSorted()).toEqual(METHODS.map(({ name }) => name).toSorted())
})

test('every command with an RPC is one of the program', () => {
  const commands = everyCommand()
  expect(Object.keys(RPCS_OF_COMMANDS).filter((name) => !commands.has(name))).toEqual([])
})
