import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { O1Policy } from "../O1Policy.ts"
import type { O1Transport } from "../O1Transport.ts"
import { type Callee, forbidden } from "./client.ts"

/** One deployment. */
export const single = (policies: O1Policy["Service"], transport: O1Transport["Service"]): Callee => {
  const { deployment } = transport
  return {
    name: deployment,
    deployment,
    serverOf: () => transport.server,
    problem: (request, options) => forbidden(request, options, transport.profile()),
    begin: ({ asked, options, raise, request }) => ({
      policy: policies.forRequest(request, { ...options, deployment }),
      complete: Effect.mapError(Effect.flatMap(asked, transport.complete), raise),
      stream: Stream.mapError(Stream.unwrap(Effect.map(asked, transport.stream)), raise)
    }),
    resume: (token, options) => policies.forResume(options).stream(transport.resume(token)),
    cancel: transport.cancel
  }
}
