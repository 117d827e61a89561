import * as OpenAiStructuredOutput from "effect/ai/OpenAiStructuredOutput"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type { O1Client } from "../O1Client.ts"
import type { O1Completion } from "../O1Completion.ts"
import { type O1Error, O1ProtocolError, O1RequestError } from "../O1Error.ts"
import type { O1Event } from "../O1Event.ts"

/** The text of a stream, and nothing else. */
export const tokensOf = (events: Stream.Stream<O1Event, O1Error>): Stream.Stream<string, O1Error> =>
  Stream.filterMap(events, (event) => event._tag === "TextDelta" ? Result.succeed(event.text) : Result.fail(undefined))

const objectOf = (complete: O1Client["complete"]): O1Client["object"] => (schema, request, options) =>
  Effect.suspend(() => {
    const { name = "answer", ...rest } = options ?? {}
    const structured = Result.try({
      try: () => OpenAiStructuredOutput.toCodecOpenAI(schema),
      catch: (cause) =>
        new O1RequestError({ kind: "invalid", param: "schema", detail: cause instanceof Error ? cause.message : "" })
    })
    if (Result.isFailure(structured)) return Effect.fail(structured.failure)
    const { codec, jsonSchema } = structured.success
    const decode = Schema.decodeUnknownResult(Schema.fromJsonString(codec))
    return Effect.flatMap(
      complete({ ...request, responseFormat: { name, schema: jsonSchema } }, rest),
      (completion) =>
        Result.match(decode(completion.text), {
          onSuccess: (value) => Effect.succeed({ value, completion }),
          onFailure: ({ message }) => Effect.fail(mismatch(completion, completion.refusal ?? message))
        })
    )
  })

const mismatch = ({ model, region, requestId, text }: O1Completion, detail: string): O1Error =>
  // what has been paid for is not asked for again on its own
  new O1ProtocolError({ kind: "malformed", detail, model, region, requestId, partialText: text, shouldRetry: false })

/** The client of its faces; those that can be made of others are. */
export const fromFaces = (faces: Omit<O1Client, "object">): O1Client => ({
  ...faces,
  object: objectOf(faces.complete)
})
