/** What one source has emitted and not all of its readers have taken. */

export interface Reader {
  /** the number of elements it has taken, had it been there from the beginning */
  position: number
}

export class SharedBuffer<A> {
  private readonly capacity: number
  private readonly readers = new Set<Reader>()
  private items: Array<A> = []
  /** the position of the first item */
  private base = 0

  constructor(capacity: number) {
    this.capacity = capacity
  }

  /** A reader that has missed nothing as long as nothing was emitted. */
  join(): Reader {
    const reader = { position: this.base }
    this.readers.add(reader)
    return reader
  }

  leave(reader: Reader): void {
    this.readers.delete(reader)
    this.trim()
  }

  push(item: A): void {
    this.items.push(item)
  }

  /** Whether there is something for the reader. */
  has(reader: Reader): boolean {
    return reader.position < this.base + this.items.length
  }

  /** Only after {@link has}. */
  take(reader: Reader): A {
    const item = this.items[reader.position++ - this.base]!
    this.trim()
    return item
  }

  /** Whether the slowest reader is near enough for the source to go on. */
  get hasRoom(): boolean {
    return this.items.length < this.capacity
  }

  private trim(): void {
    let slowest = Infinity
    for (const { position } of this.readers) slowest = Math.min(slowest, position)
    const taken = Math.min(slowest - this.base, this.items.length)
    if (taken === 0) return
    this.items = this.items.slice(taken)
    this.base += taken
  }
}
