/** So many pieces are joined at once: joined text has no memory of the pieces that it is made of. */
const most = 512

/** Text that grows by small pieces, 200,000 of them if need be, in hardly more memory than the text itself. */
export class Text {
  private joined: Array<string> = []
  private pieces: Array<string> = []

  get isEmpty(): boolean {
    return this.joined.length === 0 && this.pieces.length === 0
  }

  add(piece: string): void {
    if (this.pieces.push(piece) < most) return
    this.joined.push(this.pieces.join(""))
    this.pieces = []
  }

  clear(): void {
    this.joined = []
    this.pieces = []
  }

  toString(): string {
    return this.joined.join("") + this.pieces.join("")
  }
}
