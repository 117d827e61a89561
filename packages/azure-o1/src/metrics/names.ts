/** Values of a label, of which there can be only so many: the first come first, the rest share one. */
export class Names {
  private readonly known = new Set<string>()
  private readonly most: number

  constructor(most: number) {
    this.most = most
  }

  of(name: string): string {
    if (this.known.has(name)) return name
    if (this.known.size >= this.most) return "other"
    this.known.add(name)
    return name
  }
}
