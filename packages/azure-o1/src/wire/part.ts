import { Text } from "./text.ts"

/** A text that comes in pieces, and at times again as a whole. */
export class Part {
  private readonly said = new Text()
  /** As the service gave it at the end, where that is not what was said. */
  private whole: string | undefined = undefined
  /** Its beginning was read here. Of what began elsewhere nobody knows how far it was said. */
  readonly begun: boolean

  constructor(begun = true) {
    this.begun = begun
  }

  /** Nothing of it was said. */
  get isEmpty(): boolean {
    return this.said.isEmpty
  }

  get text(): string {
    return this.whole ?? this.said.toString()
  }

  add(piece: string): void {
    this.said.add(piece)
  }

  /** The whole is known, and has the last word: gives what of it has not been said yet. */
  complete(whole: string): string {
    if (whole === "") return ""
    const said = this.said.toString()
    if (this.begun && whole.startsWith(said)) {
      this.whole = undefined
      return whole.slice(said.length)
    }
    this.whole = whole
    return ""
  }
}
