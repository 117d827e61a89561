import type { AzureO1Config } from "../AzureO1Config.ts"
import type { O1Error } from "../O1Error.ts"
import { fail, pass, skipped, warn } from "./finding.ts"
import type { Finding } from "./model.ts"
import type { Answered, Probe } from "./probe.ts"
import { admitted, missing, objected, refused, throttled, told, unknownAuth } from "./refusals.ts"

/** A step of the way to the deployment that the client's own connection did not get over. */
type Step = "dns" | "tcp" | "tls"

/** Codes that say that there is no way to the host. */
const unreachable = /^(EHOSTUNREACH|ENETUNREACH|EHOSTDOWN|ENETDOWN|EADDRNOTAVAIL)$/

/** Where the connection failed, if that is why there is no answer. */
export const brokenStep = ({ answers, error, sent }: Probe): Step | undefined => {
  // the issuer of tokens has connections too
  if (sent === 0 || answers.length > 0 || error === undefined) return undefined
  if (error._tag === "O1TimeoutError") return error.kind === "connect" ? "tcp" : undefined
  if (error._tag !== "O1ConnectionError") return undefined
  if (error.kind === "dns" || error.kind === "tls") return error.kind
  return error.kind === "refused" || unreachable.test(error.code ?? "") ? "tcp" : undefined
}

/** A failing gateway may well say so in HTML; anything else in HTML is not the API. */
const isPage = ({ headers, status }: Answered): boolean =>
  status < 500 && /^\s*(text\/html|application\/xhtml)/i.test(headers["content-type"] ?? "")

/** Without an answer, or with half of one: what is left is a credential, a limit or a connection. */
const unanswered = (probe: Probe, error: O1Error): ReadonlyArray<Finding> => {
  if (probe.sent === 0) {
    return [
      fail(
        "auth",
        error.message,
        "Check the credential: that it is signed in, has a network, and gives tokens for the scope.",
        { error: `${error._tag}/${error.kind}` }
      ),
      skipped("deployment", "Nothing was sent, for there is no token.")
    ]
  }
  const step = brokenStep(probe)
  const unknown = unknownAuth("there was no answer")
  if (step !== undefined) return [unknown, skipped("deployment", `It was not reached: see ${step}.`)]
  // silence says nothing of the deployment, and a connection that breaks may hold the next time
  return [
    unknown,
    error._tag === "O1TimeoutError"
      ? warn(
        "deployment",
        "It took the request, and did not answer in time.",
        "Check what is between here and the service: a proxy, a firewall, a gateway. Options.timeout gives it more time.",
        told(error)
      )
      : warn("deployment", `There was no answer: ${error.message}`, "Check what is between here and the service.", {
        ...told(error),
        ...error._tag === "O1ConnectionError" ? { code: error.code } : {}
      })
  ]
}

/** What an error says of key and deployment, where something answered. */
const answered = (config: AzureO1Config, probe: Probe, error: O1Error): ReadonlyArray<Finding> => {
  const details = told(error)
  const later = "Verify again later; if it stays, give the request id to Azure's support."
  switch (error._tag) {
    case "O1AuthError":
      return [refused(config, error), skipped("deployment", "Whether it is there is not known: we are not let in.")]
    case "O1DeploymentError":
      return missing(config, error)
    case "O1RateLimitError":
      return throttled(config, error)
    case "O1RequestError":
      return objected(config, probe, error)
    case "O1OutputLimitError":
    case "O1ContentFilterError":
      return [admitted(config), pass("deployment", `"${config.deployment}" is there, and it answers.`, details)]
    case "O1ServerError":
      if (error.kind === "not-implemented") {
        return [
          unknownAuth("the API is not there"),
          fail("deployment", "The service does not have this API.", "Check api and apiVersion.", details)
        ]
      }
      break
    case "O1ProtocolError":
      return [
        admitted(config),
        fail(
          "deployment",
          `The answer was not one of the API's (${error.kind}).`,
          "Check the endpoint, and what is between here and the service.",
          details
        )
      ]
    case "O1TimeoutError":
      if (error.kind !== "service" && error.kind !== "gateway") return unanswered(probe, error)
      break
    case "O1ConnectionError":
      if (error.kind !== "client-closed") return unanswered(probe, error)
      break
    case "O1RejectedError":
      break
  }
  return [
    unknownAuth("the service failed"),
    warn("deployment", `The service failed (${error._tag}/${error.kind}), which may pass.`, later, details)
  ]
}

/** What the probe says of the key and of the deployment. */
export const access = (config: AzureO1Config, probe: Probe | undefined, why: string): ReadonlyArray<Finding> => {
  if (probe === undefined) return [skipped("auth", why), skipped("deployment", why)]
  const { answers, completion, error, surprise } = probe
  const last = answers.at(-1)
  if (surprise !== undefined) {
    return [
      unknownAuth("the probe broke"),
      fail(
        "deployment",
        `The probe broke: ${surprise}.`,
        "Check the HTTP client and the credential that were given; this should not happen."
      )
    ]
  }
  if (last !== undefined && isPage(last)) {
    return [
      unknownAuth("a web page answered"),
      fail(
        "deployment",
        `A web page answered with ${last.status}, not the API.`,
        "Check the endpoint, and any proxy or sign-in page in between.",
        { status: last.status }
      )
    ]
  }
  if (error !== undefined) {
    return last === undefined ? unanswered(probe, error) : answered(config, probe, error)
  }
  const details = { status: last?.status, requestId: completion?.requestId, region: completion?.region }
  return [
    admitted(config),
    completion === undefined
      ? warn(
        "deployment",
        `"${config.deployment}" took a request that it should have refused.`,
        "Check that the endpoint leads to Azure OpenAI; probe \"real\" tells whether it answers.",
        details
      )
      : pass("deployment", `"${config.deployment}" is there, and it answers.`, details)
  ]
}
