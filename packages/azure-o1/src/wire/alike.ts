import type { AttemptEvent } from "../O1Event.ts"
import type { Template } from "./template.ts"

/** An answer that can say without parsing what a chunk adds that is like the one before. */
interface Answer {
  readonly template: Template | undefined
  takeText(text: string, events: Array<AttemptEvent>, sequence: number, data: string): boolean
}

/** What stands before the data of an event that has a name at most. */
const opening = /^(event: ?[^\r\n]*\n)?data: ?$/

const closing = "\n\n"

/**
 * Whole events of a stream, as they are written: one that is like the one before but for its text needs no parser of events
 * either.
 */
export class Alike {
  /** The template of the answer of which this was made. */
  private made: Template | undefined = undefined
  private framed: Template | undefined = undefined
  /** How many characters are before the data. */
  private before = 0

  /** Takes an event for an example of those that follow: it is written like this, and has this data. */
  learn({ template }: Answer, raw: string, data: string): void {
    if (template === this.made && this.framed !== undefined) return
    this.made = template
    this.framed = undefined
    if (template === undefined) return
    const before = raw.slice(0, -data.length - closing.length)
    const isPlain = raw.startsWith(data, before.length) && raw.endsWith(closing) && opening.test(before)
    if (isPlain && template.matches(data)) this.framed = template.between(before, closing)
    this.before = before.length
  }

  /** Takes in the events from there on that are like the example, and says where the first that is not begins. */
  take(text: string, start: number, answer: Answer, events: Array<AttemptEvent>): number {
    const { before, framed } = this
    if (framed === undefined || answer.template !== this.made) return start
    let at = start
    while (
      framed.matchesAt(text, at) && framed.text !== "" &&
      answer.takeText(framed.text, events, framed.sequence, text.slice(at + before, framed.end - closing.length))
    ) at = framed.end
    return at
  }
}
