import type { Network } from "../Network.ts"
import type { Call, Frame, Layer, Process } from "./frame.ts"
import { type Host, Job } from "./job.ts"
import type { Outcome } from "./outcome.ts"
import type { Random } from "./random.ts"
import type { ClientRecord } from "./records.ts"

/** The way to a server: the innermost layer of a stack. */
export class Edge implements Layer {
  readonly host: Host
  readonly network: Network | undefined
  readonly record: ClientRecord | undefined
  readonly random: Random
  /** numbers what is sent, for a delay that goes by it */
  sent = 0

  constructor(host: Host, network: Network | undefined, record: ClientRecord | undefined, { random }: Process) {
    this.host = host
    this.network = network
    this.record = record
    this.random = random
  }

  open(outer: Frame, call: Call): Frame {
    return new Request(this, outer, call)
  }

  /** When a message that is sent now arrives; never, if it is lost. */
  delay(at: number, number: number): number {
    const { network, random } = this
    if (network === undefined) return 0
    if (network.loss > 0 && random.next() < network.loss) return Infinity
    const delay = network.delay === undefined ? 0 : network.delay.draw(random, number)
    const outage = network.outages.find(({ from, until }) => at >= from && at < until)
    if (outage === undefined) return delay
    return outage.released ? outage.until - at + delay : Infinity
  }
}

/** A request on its way, at the server, and on its way back. */
class Request extends Job {
  private readonly edge: Edge
  private answer: Outcome | undefined = undefined
  private arrived = false
  private number = 0

  constructor(edge: Edge, outer: Frame, call: Call) {
    super(edge.host, outer, call)
    this.edge = edge
  }

  begin(): void {
    const { edge, host } = this
    const { now } = host.world
    edge.record?.sent(now)
    this.number = ++edge.sent
    const delay = edge.delay(now, this.number)
    // the header has whole milliseconds, which count from when they come
    if (host.obeys) this.deadline = now + delay + Math.floor(this.deadline - now)
    this.travel(delay)
  }

  private travel(delay: number): void {
    if (delay > 0) this.host.world.agenda.schedule(this, delay)
    else this.wake()
  }

  override wake(): void {
    if (this.answer !== undefined) return this.deliver(this.answer)
    // its service is over
    if (this.startedAt >= 0) return super.wake()
    this.arrived = true
    this.host.arrive(this)
  }

  /** What goes back to a caller who has gone is not sent. */
  respond(outcome: Outcome): void {
    if (this.expiry !== undefined) this.expiry.ticket = 0
    if (this.gone) return
    this.answer = outcome
    this.travel(this.edge.delay(this.host.world.now, this.number))
  }

  private deliver(outcome: Outcome): void {
    if (!this.gone) this.outer!.answered(outcome, this)
  }

  cancel(): boolean {
    this.gone = true
    if (this.answer !== undefined) this.ticket = 0
    else if (this.arrived) this.host.abandoned(this)
    return false
  }
}
