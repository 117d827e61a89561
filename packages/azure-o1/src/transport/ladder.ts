import type { Api } from "../ModelProfile.ts"
import type { O1Error } from "../O1Error.ts"
import type { O1Request } from "../O1Request.ts"
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

/** The most tokens of a brief answer, and the milliseconds that a slow model takes for each, reasoning included. */
const briefBudget = 500
const slowToken = 100

/** Whether an answer ends so soon, and within the limit of its attempt, that nothing is won by seeing it grow. */
export const isBrief = ({ maxCompletionTokens }: Pick<O1Request, "maxCompletionTokens">, limit: number): boolean =>
  maxCompletionTokens !== undefined && maxCompletionTokens <= briefBudget && maxCompletionTokens * slowToken <= limit

const backgroundParameters = new Set(["background", "store"])

/** What the service says of itself when the Responses API is not there. */
const absent = new Set([404, 405, 501])

/** Words of a refusal that names no parameter, about responses that are made in the background, or kept. */
const isAboutBackground =
  /\bbackground\b|\bresponses api\b|\b(?:stored|storing|storage of) responses?\b|\bdata retention\b/i
const isRefusal = /\bnot\b|n't\b|\bcannot\b|\bun(?:supported|available)\b|\bdisabled\b|\bonly\b/i

/** What of the deployment an error tells: an ability that it does not have, or seems not to have. */
export interface Lack {
  readonly ability: keyof Abilities
  /** Something in between may have answered, and may answer otherwise in a moment. */
  readonly tentative: boolean
}

const withoutBackground: Lack = { ability: "background", tentative: false }
const perhapsWithoutBackground: Lack = { ability: "background", tentative: true }

const lacksBackground = (error: O1Error, api: Api): Lack | undefined => {
  switch (error._tag) {
    case "O1RequestError": {
      const { kind, param, said = "", status } = error
      if (backgroundParameters.has(param ?? "")) return withoutBackground
      if (api === "chat" && status === 405) return perhapsWithoutBackground
      // a response that was taken on and failed tells of what was asked
      if (status === 200) return undefined
      return kind === "operation-not-supported" ||
          (param === undefined && isAboutBackground.test(said) && isRefusal.test(said))
        ? withoutBackground
        : undefined
    }
    case "O1DeploymentError":
    case "O1ServerError":
      // where the other API carries the calls, it has the last word on whether the deployment is there
      return api === "chat" && (error.kind === "endpoint-not-found" || absent.has(error.status ?? 0))
        ? perhapsWithoutBackground
        : undefined
    case "O1ProtocolError":
      // a gateway that has a page, or another API, for every path
      return api === "chat" && (error.kind === "malformed" || error.kind === "unexpected-content-type")
        ? perhapsWithoutBackground
        : undefined
    default:
      return undefined
  }
}

/** What an error tells of the deployment, by the way in which it was asked. */
export const lacks = (rung: Rung, error: O1Error, api: Api): Lack | undefined => {
  const streamed = rung === "kept" || rung === "stream"
  if (streamed && error._tag === "O1RequestError" && error.kind === "streaming-unsupported") {
    return { ability: "streams", tentative: false }
  }
  return rung === "kept" || rung === "background" ? lacksBackground(error, api) : undefined
}
