import type { Caller } from '../../context.ts'
import type { Flow, Lane, QueryFlow } from '../../flows/flow.ts'
import type { Result } from '../../results.ts'
import { OPERATOR, type Scene } from './scene.ts'

/** One call of a flow, or one piece of other work, that sends statements. */
export interface Step {
  /** The flow's name, or that of the work. */
  readonly name: string
  /** What is special about this call; `null`: nothing. */
  readonly variant: string | null
  /** Brings about what the call needs. Its statements are not the flow's. */
  readonly prepare?: (scene: Scene) => Promise<void>
  readonly run: (scene: Scene) => Promise<void>
}

/** Runs a step for what it leaves. */
export async function runStep({ prepare, run }: Step, scene: Scene): Promise<void> {
  await prepare?.(scene)
  await run(scene)
}

/** How a flow is called. */
export interface Sample<Input, Output> {
  readonly variant?: string | null
  /** The operator, unless given. */
  readonly caller?: (scene: Scene) => Caller
  readonly prepare?: (scene: Scene) => Promise<void>
  readonly input: (scene: Scene) => Input
  /** Leaves what comes of it to later steps. */
  readonly keep?: (scene: Scene, output: Output) => void
  /** The refusal that is meant to happen; `null` or absent: it is answered. */
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

/** A sample call was not answered as it should be: the database holds something that stands in its way. */
export class SampleError extends Error {
  constructor(name: string, variant: string | null, answer: string) {
    super(`the sample call of ${name}${variant === null ? '' : ` (${variant})`} was answered with ${answer}`)
    this.name = 'SampleError'
  }
}
