import { Linked, List } from "../../kernel/list.ts"

/** What something happens to at a time: one time at once. */
export abstract class Timed extends Linked {
  /** the number of the event that wakes it; 0 while there is none */
  ticket = 0

  /** It is time. */
  abstract wake(): void
}

/** Of a heap: the children of one entry lie side by side in memory, and there are half as many levels as with two. */
const arity = 4

/**
 * The events to come, in the order of time, and at one time in the order in which they were put down. That is the order of
 * `TestClock`, as of every timer queue. Times in milliseconds.
 */
export class Agenda {
  now = 0
  /** how many events there were */
  events = 0
  private size = 0
  private times = new Float64Array(1024)
  private tickets = new Float64Array(1024)
  private readonly timed: Array<Timed> = []
  private sequence = 0
  private soon: Array<Timed> = []

  /** A number for an event, later than all before it. */
  next(): number {
    return ++this.sequence
  }

  /** Wakes it after so many milliseconds; never, if that is infinite. */
  schedule(timed: Timed, delay: number): void {
    timed.ticket = this.next()
    if (delay < Infinity) this.push(this.now + delay, timed.ticket, timed)
  }

  at(timed: Timed, time: number): void {
    this.schedule(timed, Math.max(0, time - this.now))
  }

  /** Wakes it in this instant, when what goes on has ended: as a fiber that is resumed on a new stack. */
  later(timed: Timed): void {
    this.soon.push(timed)
  }

  push(time: number, ticket: number, timed: Timed): void {
    if (this.size === this.times.length) this.grow()
    let hole = this.size++
    const { tickets, times } = this
    while (hole > 0) {
      const parent = ((hole - 1) / arity) | 0
      const above = times[parent]!
      if (above < time || (above === time && tickets[parent]! < ticket)) break
      this.move(parent, hole)
      hole = parent
    }
    this.put(hole, time, ticket, timed)
  }

  /** Does everything until then, that instant included. */
  run(until: number): void {
    this.settle()
    while (this.size > 0 && this.times[0]! <= until) {
      const time = this.times[0]!
      const ticket = this.tickets[0]!
      const timed = this.timed[0]!
      this.pop()
      // it was called off, or put off, since
      if (timed.ticket !== ticket) continue
      timed.ticket = 0
      this.now = time
      this.events++
      timed.wake()
      if (this.soon.length > 0) this.settle()
    }
    if (until < Infinity) this.now = until
  }

  private settle(): void {
    const { soon } = this
    for (let i = 0; i < soon.length; i++) soon[i]!.wake()
    soon.length = 0
  }

  private pop(): void {
    const { tickets, times } = this
    const last = --this.size
    const time = times[last]!
    const ticket = tickets[last]!
    const timed = this.timed.pop()!
    if (last === 0) return
    let hole = 0
    for (;;) {
      const first = hole * arity + 1
      if (first >= last) break
      let least = first
      for (let child = first + 1, end = Math.min(first + arity, last); child < end; child++) {
        const a = times[child]!
        const b = times[least]!
        if (a < b || (a === b && tickets[child]! < tickets[least]!)) least = child
      }
      const below = times[least]!
      if (below > time || (below === time && tickets[least]! > ticket)) break
      this.move(least, hole)
      hole = least
    }
    this.put(hole, time, ticket, timed)
  }

  private move(from: number, to: number): void {
    this.times[to] = this.times[from]!
    this.tickets[to] = this.tickets[from]!
    this.timed[to] = this.timed[from]!
  }

  private put(index: number, time: number, ticket: number, timed: Timed): void {
    this.times[index] = time
    this.tickets[index] = ticket
    this.timed[index] = timed
  }

  private grow(): void {
    const { tickets, times } = this
    this.times = new Float64Array(times.length * 2)
    this.tickets = new Float64Array(times.length * 2)
    this.times.set(times)
    this.tickets.set(tickets)
  }
}

/**
 * Timers of one fixed delay, of which nearly all are called off. They fall due in the order in which they were set, so a list
 * holds them, and only the first stands in the agenda.
 */
export class Alarms extends Timed {
  private readonly agenda: Agenda
  private readonly delay: number
  private readonly set = new List<Alarm>()

  constructor(agenda: Agenda, delay: number) {
    super()
    this.agenda = agenda
    this.delay = delay
  }

  add(alarm: Alarm): void {
    alarm.ticket = this.agenda.next()
    alarm.due = this.agenda.now + this.delay
    this.set.push(alarm)
    if (this.ticket === 0) this.follow()
  }

  remove(alarm: Alarm): void {
    alarm.ticket = 0
    this.set.delete(alarm)
  }

  wake(): void {
    const { first } = this.set
    if (first === undefined) return
    // the one that this was set for has been called off
    if (first.due > this.agenda.now || first.ticket !== this.woken) return this.follow()
    this.remove(first)
    if (this.set.first !== undefined) this.follow()
    first.wake()
  }

  private woken = 0

  /** Stands in the agenda for the first one, under its number. */
  private follow(): void {
    const first = this.set.first!
    this.ticket = this.woken = first.ticket
    this.agenda.push(first.due, first.ticket, this)
  }
}

/** What one of the {@link Alarms} wakes. */
export abstract class Alarm extends Timed {
  due = 0
}
