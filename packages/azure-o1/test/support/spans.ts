import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Tracer from "effect/Tracer"

/** A tracer that keeps all spans, in the order in which they began. */
export const recorder = () => {
  const spans: Array<Tracer.NativeSpan> = []
  const tracer = Tracer.make({
    span: (options) => {
      const span = new Tracer.NativeSpan(options)
      spans.push(span)
      return span
    }
  })
  return { spans, traced: Effect.provideService(Tracer.Tracer, tracer) }
}

export interface Told {
  readonly name: string
  readonly parent: string | undefined
  /** In seconds; `undefined` while it goes on. */
  readonly from: number
  readonly to: number | undefined
  readonly failed: boolean
  readonly attributes: Readonly<Record<string, unknown>>
}

const seconds = (nanos: bigint): number => Number(nanos / 1_000_000n) / 1000

/** What a span tells, as it can be compared. */
export const told = (span: Tracer.NativeSpan): Told => ({
  name: span.name,
  parent: span.parent._tag === "Some" && span.parent.value._tag === "Span" ? span.parent.value.name : undefined,
  from: seconds(span.status.startTime),
  to: span.status._tag === "Ended" ? seconds(span.status.endTime) : undefined,
  failed: span.status._tag === "Ended" && Exit.isFailure(span.status.exit),
  attributes: Object.fromEntries(span.attributes)
})

/** All that a span holds, as an exporter could write it down. */
export const written = (span: Tracer.NativeSpan): string =>
  JSON.stringify([span.name, Array.from(span.attributes), span.events]) +
  (span.status._tag === "Ended" && Exit.isFailure(span.status.exit)
    ? span.status.exit.cause.reasons.map((reason) =>
      "error" in reason && reason.error instanceof Error
        ? `${reason.error.name} ${reason.error.message} ${reason.error.stack} ${
          JSON.stringify(Object.entries(reason.error))
        }`
        : String(reason)
    ).join()
    : "")
