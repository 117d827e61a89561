import type { Api } from "../ModelProfile.ts"
import type { O1Error } from "../O1Error.ts"
import { avoidsSilence, type Route } from "./route.ts"

/**
 * A way to make an answer, best first: a stream of what the service keeps, which can be continued; a stream that lives with its
 * connection; a response made in the background, which is asked for; one request that waits for the whole answer.
 */
export type Rung = "kept" | "stream" | "background" | "plain"

/** What a deployment is able to do, as far as is known. */
export interface Abilities {
  readonly streams: boolean
  readonly background: boolean
}

/** The ways that are worth a try, in this order. Where the request takes long comes first what silence does not harm. */
export const rungs = (api: Api, { background, streams }: Abilities, route: Route): ReadonlyArray<Rung> => {
  const streamed: ReadonlyArray<Rung> = streams ? [api === "responses" && background ? "kept" : "stream"] : []
  const polled: ReadonlyArray<Rung> = background ? ["background"] : []
  return avoidsSilence(route)
    ? [...polled, ...streamed, "plain"]
    : [...streamed, ...polled, "plain"]
}

const backgroundParameters = new Set(["background", "store"])

/** What the service says of itself when the Responses API is not there. */
const absent = new Set([404, 405, 501])

const refusesBackground = (error: O1Error, api: Api): boolean => {
  switch (error._tag) {
    case "O1RequestError":
      return backgroundParameters.has(error.param ?? "") || error.kind === "operation-not-supported" ||
        (api === "chat" && error.status === 405)
    case "O1DeploymentError":
    case "O1ServerError":
      // where the other API carries the calls, it has the last word on whether the deployment is there
      return api === "chat" && absent.has(error.status ?? 0)
    default:
      return false
  }
}

/** What an error tells of the deployment: the ability that it does not have. */
export const lacks = (rung: Rung, error: O1Error, api: Api): keyof Abilities | undefined => {
  const streamed = rung === "kept" || rung === "stream"
  if (streamed && error._tag === "O1RequestError" && error.kind === "streaming-unsupported") return "streams"
  return (rung === "kept" || rung === "background") && refusesBackground(error, api) ? "background" : undefined
}
