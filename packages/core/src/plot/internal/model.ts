/** What a picture is made of. */

export interface Axis {
  /** The words of the axis, with the unit. */
  readonly label: string
  /** @default "linear" */
  readonly scale?: "linear" | "logarithmic" | undefined
  /** Where the axis begins. By default at the least value; a linear axis of a panel begins at 0 where nothing is below. */
  readonly from?: number | undefined
  /** Where the axis ends, unless the label of a rule needs more room. By default at the largest value. */
  readonly to?: number | undefined
  /** The places that may have a number. By default round ones. */
  readonly ticks?: ((from: number, to: number) => ReadonlyArray<number>) | undefined
  /** How a number is written. */
  readonly format?: ((value: number) => string) | undefined
}

/** A place on both axes. A number that is not finite is a gap. */
export type Point = readonly [x: number, y: number]

export interface Line {
  readonly _tag: "Line"
  readonly name: string
  readonly points: ReadonlyArray<Point>
  /** A value holds until the next one. */
  readonly steps?: boolean | undefined
}

export interface Band {
  readonly _tag: "Band"
  readonly name: string
  readonly points: ReadonlyArray<readonly [x: number, low: number, high: number]>
}

export interface Bars {
  readonly _tag: "Bars"
  readonly name: string
  readonly bars: ReadonlyArray<readonly [from: number, to: number, value: number]>
}

export interface Rule {
  readonly _tag: "Rule"
  readonly name: string
  readonly at: number
  /** @default "measured" */
  readonly kind?: "measured" | "limit" | undefined
}

export interface Span {
  readonly _tag: "Span"
  readonly name: string
  readonly from: number
  readonly to: number
}

export type Mark = Line | Band | Bars | Rule | Span

export interface Panel {
  readonly y: Axis
  readonly marks: ReadonlyArray<Mark>
  /**
   * In pixels, without the labels of rules and spans above it. 40 or more.
   *
   * @default 240 for one panel, 150 for each of several
   */
  readonly height?: number | undefined
}

export interface Options {
  readonly title: string
  readonly x: Axis
  readonly panels: ReadonlyArray<Panel>
  /**
   * In pixels, from 320 to 4000.
   *
   * @default 800
   */
  readonly width?: number | undefined
  /** Stands where there is nothing to draw. */
  readonly empty?: string | undefined
}
