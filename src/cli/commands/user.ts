import { Command, Option } from 'commander'
import {
  DeactivateUserResponseSchema,
  DeleteUserResponseSchema,
  GetUserResponseSchema,
  ListUsersResponseSchema,
  ReactivateUserResponseSchema,
  RegisterUserResponseSchema,
  UserService,
} from '../../gen/qscope/v1/user_service_pb.ts'
import { readWithCalls, withCalls } from '../connection/session.ts'
import { type ConfirmationOptions, confirm, withConfirmation } from '../input/prompt.ts'
import {
  type ConnectionOptions,
  omitUndefined,
  type PageOptions,
  UsageError,
  withConnection,
  withPaging,
} from '../options/options.ts'
import { messageJson } from '../output/output.ts'
import { userView } from '../views/user.ts'

export function userCommand(): Command {
  return new Command('user')
    .description('manage references to users')
    .addCommand(registerCommand())
    .addCommand(listCommand())
    .addCommand(getCommand())
    .addCommand(deactivateCommand())
    .addCommand(reactivateCommand())
    .addCommand(deleteCommand())
}

function registerCommand(): Command {
  return withConnection(new Command('register'))
    .description('register a user of another system, or show an existing one')
    .argument('<external-id>', 'the id of the user in that system')
    .action(async (externalId: string, options: ConnectionOptions) => {
      await withCalls(options, async (calls, output) => {
        const answer = await calls.call(UserService.method.registerUser, { externalId })
        output.object(userView, answer.user, () => messageJson(RegisterUserResponseSchema, answer))
      })
    })
}

interface ListOptions extends ConnectionOptions, PageOptions {
  readonly active?: true
  readonly deactivated?: true
}

function listCommand(): Command {
  return withPaging(withConnection(new Command('list')))
    .description('list users, newest first')
    .option('--active', 'only active users')
    .addOption(new Option('--deactivated', 'only deactivated users').conflicts('active'))
    .action(async (options: ListOptions) => {
      await readWithCalls(options, async (calls, output) => {
        const { pageSize, pageToken, deactivated } = options
        const active = deactivated ? false : options.active
        const answer = await calls.call(UserService.method.listUsers, omitUndefined({ pageSize, pageToken, active }))
        const document = () => messageJson(ListUsersResponseSchema, answer)
        output.list(userView, answer.users, document, answer.nextPageToken)
      })
    })
}

interface GetOptions extends ConnectionOptions {
  readonly externalId?: string
}

function getCommand(): Command {
  return withConnection(new Command('get'))
    .description('show a user')
    .argument('[user-id]')
    .option('--external-id <id>', 'id of the user in the other system')
    .action(async (userId: string | undefined, options: GetOptions) => {
      const { externalId } = options
      if ((userId === undefined) === (externalId === undefined)) throw new UsageError('give a user id or --external-id')
      const id =
        externalId === undefined
          ? { case: 'userId' as const, value: userId ?? '' }
          : { case: 'externalId' as const, value: externalId }
      await readWithCalls(options, async (calls, output) => {
        const answer = await calls.call(UserService.method.getUser, { id })
        output.object(userView, answer.user, () => messageJson(GetUserResponseSchema, answer))
      })
    })
}

function deactivateCommand(): Command {
  return withConnection(new Command('deactivate'))
    .description('deactivate a user: the tokens of the user are inactive from the next call on')
    .argument('<user-id>')
    .action(async (userId: string, options: ConnectionOptions) => {
      await withCalls(options, async (calls, output) => {
        const answer = await calls.call(UserService.method.deactivateUser, { userId })
        output.object(userView, answer.user, () => messageJson(DeactivateUserResponseSchema, answer))
      })
    })
}

function reactivateCommand(): Command {
  return withConnection(new Command('reactivate'))
    .description('reactivate a user; unexpired tokens are active again')
    .argument('<user-id>')
    .action(async (userId: string, options: ConnectionOptions) => {
      await withCalls(options, async (calls, output) => {
        const answer = await calls.call(UserService.method.reactivateUser, { userId })
        output.object(userView, answer.user, () => messageJson(ReactivateUserResponseSchema, answer))
      })
    })
}

function deleteCommand(): Command {
  return withConfirmation(withConnection(new Command('delete')))
    .description('delete a user and their tokens; the external id can be used again')
    .argument('<user-id>')
    .action(async (userId: string, options: ConnectionOptions & ConfirmationOptions) => {
      await confirm(options, `This deletes the user ${userId} and all tokens of the user for good`)
      await withCalls(options, async (calls, output) => {
        const answer = await calls.call(UserService.method.deleteUser, { userId })
        output.answer({
          document: () => messageJson(DeleteUserResponseSchema, answer),
          text: () => `deleted ${userId}`,
          names: () => [userId],
        })
      })
    })
}
