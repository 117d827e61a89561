/**
 * Recent observations: a few generations, each of one span of time, of which the oldest is dropped when a new one begins.
 * Something is forgotten between `count - 1` and `count` spans after it was learned. The time is an argument.
 */
export class Generations<A> {
  private readonly span: number
  private readonly count: number
  private readonly make: () => A
  /** the latest first */
  private generations: ReadonlyArray<{ readonly period: number; readonly content: A }> = []

  constructor(span: number, count: number, make: () => A) {
    this.span = span
    this.count = count
    this.make = make
  }

  /** The one to write to. */
  current(now: number): A {
    const latest = this.generations[0]
    const period = Math.floor(now / this.span)
    if (latest !== undefined && period <= latest.period) return latest.content
    const content = this.make()
    this.generations = [{ period, content }, ...this.remembered(period)]
    return content
  }

  /** Those that are not forgotten, the latest first. */
  all(now: number): ReadonlyArray<A> {
    return this.remembered(Math.floor(now / this.span)).map(({ content }) => content)
  }

  /** Nothing is remembered from before this time. */
  since(now: number): number {
    return (Math.floor(now / this.span) - this.count + 1) * this.span
  }

  private remembered(period: number): typeof this.generations {
    return this.generations.filter((generation) => generation.period > period - this.count)
  }
}
