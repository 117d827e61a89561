import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type * as Schema from "effect/Schema"
import type { O1Client, O1Object, ObjectOptions } from "../O1Client.ts"
import type { O1Completion } from "../O1Completion.ts"
import {
  type Details,
  type O1Error,
  O1OutputLimitError,
  O1ProtocolError,
  O1RefusalError,
  O1RequestError
} from "../O1Error.ts"
import type { O1Request } from "../O1Request.ts"
import { structuredOf } from "../request/structured.ts"

/** Why an answer is not the object that was asked for. It has been paid for, and is not asked for again on its own. */
const notTheObject = (completion: O1Completion, problem: string): O1Error => {
  const { finishReason, metadata, model, refusal, region, requestId, text, toolCalls, usage } = completion
  const details: Details = {
    requestId,
    clientRequestId: metadata.headers.clientRequestId,
    region,
    model,
    partialText: text,
    completion,
    usage,
    shouldRetry: false
  }
  if (refusal !== undefined) return new O1RefusalError({ kind: "refused", refusal, ...details })
  if (finishReason === "length") return new O1OutputLimitError({ kind: "cut-off", ...details })
  const detail = toolCalls.length > 0 && text === "" ? "The model asks for tools instead" : problem
  return new O1ProtocolError({ kind: "schema-mismatch", detail, ...details })
}

/** An answer of the form of a schema, by a client that gives whole answers. */
export const objectOf = (complete: O1Client["complete"]): O1Client["object"] =>
<A>(
  schema: Schema.ConstraintCodec<A, unknown>,
  request: Omit<O1Request, "responseFormat">,
  { name = "answer", ...options }: ObjectOptions = {}
): Effect.Effect<O1Object<A>, O1Error> =>
  structuredOf(schema).pipe(
    Effect.mapError((detail): O1Error => new O1RequestError({ kind: "invalid", param: "schema", detail })),
    Effect.flatMap(({ decode, jsonSchema }) =>
      Effect.flatMap(complete({ ...request, responseFormat: { name, schema: jsonSchema } }, options), (completion) => {
        const decoded = decode(completion.text)
        return Result.isSuccess(decoded)
          ? Effect.succeed({ value: decoded.success, completion })
          : Effect.fail(notTheObject(completion, decoded.failure))
      })
    )
  )
