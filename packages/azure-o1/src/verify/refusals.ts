import * as Duration from "effect/Duration"
import { apiOf, type AzureO1Config } from "../AzureO1Config.ts"
import type { O1AuthError, O1DeploymentError, O1Error, O1RateLimitError, O1RequestError } from "../O1Error.ts"
import { hostKind } from "./configuration.ts"
import { fail, pass, skipped, warn } from "./finding.ts"
import type { Finding } from "./model.ts"
import type { Probe } from "./probe.ts"

/** There is no telling whether the key or token is good. */
export const unknownAuth = (why: string): Finding => skipped("auth", `Whether it lets us in is not known: ${why}.`)

/** A request that gets so far is let in. */
export const admitted = (config: AzureO1Config): Finding =>
  pass("auth", config.credential === undefined ? "The key is accepted." : "The token is accepted.")

/** Whatever the answer was, for support. */
export const told = (error: O1Error) => ({
  status: error.status,
  said: error.said,
  requestId: error.requestId,
  region: error.region,
  error: `${error._tag}/${error.kind}`
})

const keyFix = (config: AzureO1Config): string =>
  hostKind(new URL(config.endpoint).hostname) === "gateway"
    ? "Check which key the gateway wants: one in front of Azure usually has keys of its own."
    : "Copy the key of this very resource again, from its page Keys and Endpoint: keys are renewed, and belong to one resource."

const tokenFix =
  "Assign the role Cognitive Services OpenAI User on the resource, which takes some minutes; and check the " +
  "tenant, and that scope is the audience that the API wants."

/** 401 and 403. */
export const refused = (config: AzureO1Config, error: O1AuthError): Finding => {
  const details = told(error)
  const detail = error.said ?? ""
  if (error.kind !== "forbidden") {
    return config.credential === undefined
      ? fail("auth", "The key is not accepted.", keyFix(config), details)
      : fail("auth", "The token is not accepted.", tokenFix, details)
  }
  if (/virtual network|firewall|private endpoint|public (network )?access|\bip\b/i.test(detail)) {
    return fail(
      "auth",
      "The resource's network rules do not let this machine in.",
      "Allow this network under Networking of the resource, or go through its private endpoint.",
      details
    )
  }
  if (/key.based authentication|authenticationtypedisabled|local ?auth/i.test(detail)) {
    return fail("auth", "The resource does not take keys.", "Use a credential of Entra ID instead of apiKey.", details)
  }
  return fail(
    "auth",
    "Access is forbidden.",
    config.credential === undefined
      ? "Check the resource's network rules, and whether it takes keys at all."
      : `Check the resource's network rules. ${tokenFix}`,
    details
  )
}

/** 404 and redirects. */
export const missing = (config: AzureO1Config, error: O1DeploymentError): ReadonlyArray<Finding> => {
  const { apiVersion, deployment } = config
  const details = told(error)
  switch (error.kind) {
    case "deployment-not-found":
      return [
        admitted(config),
        fail(
          "deployment",
          `There is no deployment "${deployment}".`,
          "Check its name, which need not be the model's, and that the endpoint is that of its resource; one made in the last " +
            "five minutes may need a moment.",
          details
        )
      ]
    case "model-retired":
      return [
        admitted(config),
        fail("deployment", `The model of "${deployment}" is retired.`, "Deploy a current model.", details)
      ]
    case "endpoint-not-found":
      return [
        unknownAuth("the path is not there"),
        (error.status ?? 0) < 400
          ? fail(
            "deployment",
            "It answered with a redirect, which is not followed, for the key would go along.",
            "Set the endpoint to the address that it redirects to, if that is the resource.",
            details
          )
          : fail(
            "deployment",
            "The endpoint has no such path.",
            apiVersion === undefined
              ? "Check that the endpoint is a resource of Azure OpenAI; one without the v1 path needs an apiVersion."
              : `Check that the endpoint is a resource of Azure OpenAI, and that it knows apiVersion ${apiVersion}.`,
            details
          )
      ]
  }
}

/** 429. */
export const throttled = (config: AzureO1Config, error: O1RateLimitError): ReadonlyArray<Finding> => {
  const wait = error.retryAfter === undefined ? "" : ` It asks to wait ${Duration.format(error.retryAfter)}.`
  return error.kind === "quota"
    ? [
      admitted(config),
      fail(
        "deployment",
        "The quota is used up.",
        "Raise the quota or the spending limit: waiting does not help.",
        told(error)
      )
    ]
    : [
      admitted(config),
      warn(
        "deployment",
        `"${config.deployment}" is there, but throttled (${error.kind}).${wait}`,
        "Verify again later; if it stays, raise the deployment's limit or spread the calls.",
        told(error)
      )
    ]
}

/** A refusal of the request: what the cheap probe is after, unless it tells more. */
export const objected = (config: AzureO1Config, probe: Probe, error: O1RequestError): ReadonlyArray<Finding> => {
  const { deployment } = config
  const api = apiOf(config) === "chat" ? "Chat Completions" : "Responses"
  const details = told(error)
  const detail = error.said ?? ""
  const refuse = (message: string, fix: string) => [admitted(config), fail("deployment", message, fix, details)]
  if (error.kind === "operation-not-supported") {
    return refuse(
      `The model of "${deployment}" does not have the API ${api}.`,
      "Set profile to the model that is deployed, or api to the API that it has."
    )
  }
  if (/api.?version/i.test(detail)) {
    return refuse(
      "The API version is not accepted.",
      "Leave apiVersion out for the v1 path, or set one that the service names."
    )
  }
  if (error.param === "model" || /unknown.model|model.*(does not exist|not found)/i.test(detail)) {
    return refuse(`There is no deployment "${deployment}".`, "Check its name, which need not be the model's.")
  }
  if (probe.kind === "real") {
    return refuse(
      "A small request is refused.",
      "Set profile to the model that is deployed: it says what may be asked of it."
    )
  }
  if (error.status !== 400 && error.status !== 422) {
    return [
      unknownAuth("something else than the API answered"),
      fail(
        "deployment",
        `It answered with ${error.status ?? "an error"}, which is not the API's way to refuse a request.`,
        "Check the endpoint, and any proxy in between.",
        details
      )
    ]
  }
  const about = { status: error.status, requestId: error.requestId, region: error.region }
  return [
    admitted(config),
    /json/i.test(probe.answers.at(-1)?.headers["content-type"] ?? "")
      ? pass("deployment", `"${deployment}" is there: it refused the invalid request, as it has to.`, about)
      : warn(
        "deployment",
        "The invalid request was refused, but not in the API's way.",
        "Check that the endpoint leads to Azure OpenAI; probe \"real\" tells whether it answers.",
        details
      )
  ]
}
