import type { Caller } from '../../context.ts'
import type { Flow, Lane, QueryFlow } from '../../flows/flow.ts'
import type { Result } from '../../results.ts'
import { OPERATOR, type Scene } from './scene.ts'

/** One call of a flow, or other work, that sends statements. */
export interface Step {
  /** The name of the flow or of the work. */
  readonly name: string
  /** The variant of this call. `null`: the usual one. */
  readonly variant: string | null
  /** Prepares the call. Its statements do not count. */
  readonly prepare?: (scene: Scene) => Promise<void>
  readonly run: (scene: Scene) => Promise<void>
}

/** Runs a step for its effects. */
export async function runStep({ prepare, run }: Step, scene: Scene): Promise<void> {
  await prepare?.(scene)
  await run(scene)
}

/** A sample call of a flow. */
export interface Sample<Input, Output> {
  readonly variant?: string | null
  /** Default: the operator. */
  readonly caller?: (scene: Scene) => Caller
  readonly prepare?: (scene: Scene) => Promise<void>
  readonly input: (scene: Scene) => Input
  /** Provides the result to later steps. */
  readonly keep?: (scene: Scene, output: Output) => void
  /** The expected refusal. `null` or absent: the call succeeds. */
  readonly refusedWith?: string
}

export function flowStep<Input extends object, Facts extends object, Output, L extends Lane>(
  flow: Flow<Input, Facts, Output, L>,
  sample: Sample<NoInfer<Input>, NoInfer<Output>>,
): Step {
  return step<Input, Output>(flow.name, sample, (scene, caller, input) =>
    scene.runner.execute(flow, scene.context(caller), input),
  )
}

export function queryStep<Input extends object, Facts extends object, Output>(
  flow: QueryFlow<Input, Facts, Output>,
  sample: Sample<NoInfer<Input>, NoInfer<Output>>,
): Step {
  return step<Input, Output>(flow.name, sample, (scene, caller, input) =>
    scene.runner.query(flow, scene.context(caller), input),
  )
}

function step<Input, Output>(
  name: string,
  { variant = null, caller = () => OPERATOR, prepare, input, keep, refusedWith }: Sample<Input, Output>,
  call: (scene: Scene, caller: Caller, input: Input) => Promise<Result<Output>>,
): Step {
  return {
    name,
    variant,
    ...(prepare !== undefined && { prepare }),
    run: async (scene) => {
      const result = await call(scene, caller(scene), input(scene))
      const code = result.ok ? undefined : result.code
      if (code !== refusedWith) throw new SampleError(name, variant, code ?? 'success')
      if (result.ok) keep?.(scene, result.value)
    },
  }
}

/** A sample call had an unexpected result because of data in the database. */
export class SampleError extends Error {
  constructor(name: string, variant: string | null, answer: string) {
    super(`the sample call of ${name}${variant === null ? '' : ` (${variant})`} was answered with ${answer}`)
    this.name = 'SampleError'
  }
}
