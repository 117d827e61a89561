/** What one source has emitted and not all of its readers have taken. */

export interface Reader {
  /** the number of elements it has taken, had it been there from the beginning */
  position: number
}

interface Item<A> {
  readonly value: A
  /** the readers that have not taken it */
  missing: number
}

export class SharedBuffer<A> {
  private readonly capacity: number
  private readers = 0
  private items: Array<Item<A>> = []
  /** the position of the first item */
  private base = 0

  constructor(capacity: number) {
    this.capacity = capacity
  }

  /** A reader that has missed nothing as long as nothing was emitted: only then may it join. */
  join(): Reader {
    this.readers++
    return { position: this.base }
  }

  /** Once per reader. */
  leave(reader: Reader): void {
    this.readers--
    for (const item of this.items.slice(reader.position - this.base)) item.missing--
    this.trim()
  }

  push(value: A): void {
    this.items.push({ value, missing: this.readers })
  }

  /** Whether there is something for the reader. */
  has(reader: Reader): boolean {
    return reader.position < this.base + this.items.length
  }

  /** Only after {@link has}. */
  take(reader: Reader): A {
    const item = this.items[reader.position++ - this.base]!
    if (--item.missing === 0) this.trim()
    return item.value
  }

  /** Whether the slowest reader is near enough for the source to go on. */
  get hasRoom(): boolean {
    return this.items.length < this.capacity
  }

  private trim(): void {
    let taken = 0
    while (this.items[taken]?.missing === 0) taken++
    if (taken === 0) return
    this.items.splice(0, taken)
    this.base += taken
  }
}
