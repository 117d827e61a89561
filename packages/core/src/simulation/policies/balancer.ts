import type { Balancing } from "../../internal/balancer.ts"
import { eventOf, hintOf, noEndpoint, outcomeOf, rejected } from "../../internal/balancerCalls.ts"
import { timerResolution } from "../../internal/time.ts"
import type { Tries, Try } from "../../internal/tries.ts"
import * as kernel from "../../kernel/balancer.ts"
import { type Call, type Frame, type Layer, type Process, type World } from "../internal/frame.ts"
import { type Outcome, rejection } from "../internal/outcome.ts"
import { faultOf } from "./faults.ts"
import { MeasuringFrame } from "./measuring.ts"

type Endpoints = kernel.Endpoints<unknown>

/** Several servers, one of which is chosen for each call: the innermost layer of a stack, with what is around the call of one server. */
export class BalancerLayer implements Layer {
  readonly balancing: Balancing<any>
  readonly endpoints: Endpoints
  readonly world: World
  private readonly servers: ReadonlyMap<string, Layer>
  private readonly next: () => number

  constructor(balancing: Balancing<any>, layers: ReadonlyArray<Layer>, process: Process) {
    const { described } = balancing.endpoints
    this.balancing = balancing
    this.endpoints = process.state(balancing, () => new kernel.Endpoints<unknown>(balancing.endpoints.rules, described))
    this.world = process.world
    this.servers = new Map(described.map(({ key }, i) => [key, layers[i]!]))
    this.next = () => process.random.next()
    process.remembers = true
  }

  open(outer: Frame, call: Call): Frame {
    return new BalancerFrame(this, outer, call)
  }

  pick(filter: kernel.Filter<unknown> | undefined): kernel.Lease<unknown> | Outcome {
    const lease = this.endpoints.pick(this.world.now, this.next, filter)
    this.tell()
    return lease instanceof kernel.Refusal ? this.reject(lease) : lease
  }

  serverOf({ member }: kernel.Lease<unknown>): Layer {
    return this.servers.get(member.described.key)!
  }

  tell(): void {
    const { news } = this.endpoints
    if (news.length === 0) return
    const { balancing: { settings: { name } }, world } = this
    for (const change of news.splice(0)) {
      const event = world.listens ? eventOf(change, name) : undefined
      if (event !== undefined) world.emit(event)
    }
  }

  private reject(refusal: kernel.Refusal): Outcome {
    const error = noEndpoint(refusal, this.balancing.settings.name)
    if (this.world.listens) this.world.emit(rejected(error))
    return rejection(error)
  }
}

/** The use of one server, as `internal/balancer.ts` has it. */
class BalancerFrame extends MeasuringFrame {
  private readonly layer: BalancerLayer
  private lease: kernel.Lease<unknown> | undefined = undefined
  private tries: Tries | undefined = undefined
  private tried: Try | undefined = undefined

  constructor(layer: BalancerLayer, outer: Frame, call: Call) {
    super(outer, call, outer.deadline)
    this.layer = layer
  }

  get key(): string {
    return this.lease!.member.described.key
  }

  mayGoElsewhere(at: number): boolean {
    return this.layer.endpoints.isFree(at, { avoid: this.tries?.avoid(undefined) })
  }

  begin(): void {
    const { layer } = this
    const attempt = this.outer!.memory
    const tries = attempt?.call.of(layer.endpoints)
    const avoid = tries?.avoid(attempt)
    const lease = layer.pick(avoid && { avoid })
    if (!(lease instanceof kernel.Lease)) return this.outer!.answered(lease, this)
    this.lease = lease
    this.tries = tries
    this.tried = tries?.begin(attempt!, this)
    this.inner = layer.serverOf(lease).open(this, this.call)
    this.inner.begin()
  }

  protected record(outcome: Outcome, queued: boolean): void {
    const { balancing: { settings }, endpoints, world: { now } } = this.layer
    const lease = this.lease!
    lease.waited = this.waited(now)
    const fault = faultOf(settings, outcome, now)
    const ending = outcomeOf(fault, () => !queued && this.hangs(now))
    endpoints.end(lease, now, ending, fault === undefined ? 0 : hintOf(fault, outcome.exit))
    if (this.tried !== undefined) this.tries!.end(this.tried, ending === "success")
    this.layer.tell()
  }

  /** A deadline has ended the call, and the server has had its fair time. */
  private hangs(at: number): boolean {
    const { startedAt, waited } = this.lease!
    return this.isCut(at) &&
      at - startedAt - waited + timerResolution >= this.layer.balancing.settings.hangsAfter
  }
}
