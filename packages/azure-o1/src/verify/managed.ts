import * as Result from "effect/Result"
import * as AzureO1Config from "../AzureO1Config.ts"
import * as Credential from "../Credential.ts"
import * as json from "../wire/json.ts"
import type { Limits, Retirement } from "./answers.ts"
import { fail, pass, skipped, warn } from "./finding.ts"
import type { Finding } from "./model.ts"

/** What could not be read, and why. */
export interface Unread {
  readonly what: "token" | "settings" | "error" | "timeout" | "surprise"
  readonly status: number | undefined
  readonly detail: string
}

/** What the management plane told, as it came. */
export interface Managed {
  readonly deployment: Result.Result<unknown, Unread>
  readonly models: Result.Result<ReadonlyArray<unknown>, Unread>
}

const properties = (deployment: unknown, ...path: ReadonlyArray<string>): unknown =>
  json.at(deployment, "properties", ...path)

/** The name of the model that is deployed, with its version as the service appends it. */
export const deployedModel = (deployment: unknown): string | undefined => {
  const name = json.string(properties(deployment, "model", "name"))
  const version = json.string(properties(deployment, "model", "version"))
  return name === undefined || version === undefined ? name : `${name}-${version}`
}

/** What a minute allows by the configuration; each limit is told for a period of its own. */
export const configuredLimits = (deployment: unknown): Limits => {
  const perMinute = (key: string): number | undefined => {
    const limit = json.array(properties(deployment, "rateLimits")).find((limit) => json.at(limit, "key") === key)
    const count = json.number(json.at(limit, "count"))
    const period = json.number(json.at(limit, "renewalPeriod"))
    return count === undefined || period === undefined || period <= 0 || count <= 0 ? undefined : count * 60 / period
  }
  return { requests: perMinute("request"), tokens: perMinute("token") }
}

const modelOf = (deployment: unknown, models: ReadonlyArray<unknown>): unknown =>
  models.find((model) =>
    ["format", "name", "version"].every((field) => json.at(model, field) === properties(deployment, "model", field))
  )

/** The day on which the deployed model is retired, where the list of models has it. */
export const plannedRetirement = (deployment: unknown, models: ReadonlyArray<unknown>): Retirement | undefined => {
  const at = Date.parse(json.string(json.at(modelOf(deployment, models), "deprecation", "inference")) ?? "")
  const model = deployedModel(deployment)
  return Number.isNaN(at) || model === undefined
    ? undefined
    : { model, at, replacement: undefined, source: "management" }
}

const unreadFinding = ({ detail, status, what }: Unread, config: AzureO1Config.AzureO1Config, of: string): Finding => {
  const details = { status, said: detail }
  if (what === "settings") return warn("management", detail, "Correct the option management.", details)
  const message = `The management plane did not tell ${of}.`
  if (what === "token" || status === 401) {
    return warn(
      "management",
      message,
      `Check the credential: it is to give tokens for ${Credential.scopeOf(config.cloud ?? "public", "management")}.`,
      details
    )
  }
  if (status === 403) return warn("management", message, "Assign the role Reader on the account.", details)
  if (status === 404) {
    return warn(
      "management",
      `${message} It has no such thing.`,
      "Check subscription, resourceGroup and account of the option management, and the deployment's name.",
      details
    )
  }
  return warn("management", message, "Verify again later, or leave out the option management.", details)
}

const provisioning = (deployment: unknown): Finding => {
  const state = json.string(properties(deployment, "provisioningState"))
  const details = {
    state,
    sku: json.string(json.at(deployment, "sku", "name")),
    capacity: json.number(json.at(deployment, "sku", "capacity"))
  }
  switch (state?.toLowerCase()) {
    case undefined:
      return skipped("provisioning", "The management plane does not tell the state of the deployment.")
    case "succeeded":
      return pass("provisioning", "The deployment is complete.", details)
    case "failed":
    case "canceled":
    case "disabled":
    case "deleting":
      return fail(
        "provisioning",
        `The deployment's state is ${state}.`,
        "Make the deployment anew, or enable it.",
        details
      )
    default:
      return warn("provisioning", `The deployment's state is ${state}.`, "Wait until it is Succeeded.", details)
  }
}

const lifecycle = (deployment: unknown, models: ReadonlyArray<unknown>): Finding => {
  const model = modelOf(deployment, models)
  const status = json.string(json.at(model, "lifecycleStatus"))
  const details = { lifecycleStatus: status, inference: json.string(json.at(model, "deprecation", "inference")) }
  switch (status?.toLowerCase()) {
    case undefined:
      return skipped("lifecycle", "The list of models does not tell the stage of the deployed one.")
    case "generallyavailable":
    case "stable":
      return pass("lifecycle", `The model is ${status}.`, details)
    case "preview":
      return warn(
        "lifecycle",
        "The model is a preview: it can change and go at short notice.",
        "Prefer one that is generally available.",
        details
      )
    default:
      return warn("lifecycle", `The model is ${status}.`, "Plan the move to its successor.", details)
  }
}

const capabilityOf = { chat: "chatCompletion", responses: "responses" } as const

const capabilities = (deployment: unknown, config: AzureO1Config.AzureO1Config): Finding => {
  const told = json.entries(properties(deployment, "capabilities"))
  if (told.length === 0) {
    return skipped("capabilities", "The management plane does not tell what the deployment can do.")
  }
  const details = Object.fromEntries(told.map(([name, value]) => [name, json.string(value)]))
  const needed = capabilityOf[AzureO1Config.apiOf(config)]
  return details[needed]?.toLowerCase() === "false"
    ? warn(
      "capabilities",
      `By its capabilities the deployment does not have ${needed}.`,
      "Set api to the one that it has, or profile to the model that is deployed.",
      details
    )
    : pass(
      "capabilities",
      `The deployment tells ${told.length} capabilities, and none is against its use here.`,
      details
    )
}

const upgrades: { readonly [option: string]: string } = {
  OnceNewDefaultVersionAvailable: "The model is upgraded as soon as Azure has a new default, under the same name.",
  OnceCurrentVersionExpired: "The model is upgraded when its version is retired, under the same name.",
  NoAutoUpgrade: "The model is never upgraded: the deployment stops to work when its version is retired."
}

const upgrade = (deployment: unknown): Finding => {
  const option = json.string(properties(deployment, "versionUpgradeOption"))
  return option === undefined
    ? skipped("upgrade", "The management plane does not tell whether the model is upgraded.")
    : pass("upgrade", upgrades[option] ?? `The model is upgraded by the rule ${option}.`, {
      versionUpgradeOption: option
    })
}

const spillover = (deployment: unknown): Finding => {
  const name = json.string(properties(deployment, "spilloverDeploymentName"))
  return name === undefined || name === ""
    ? pass("spillover", "What does not fit goes nowhere else.")
    : pass("spillover", `What does not fit goes to the deployment "${name}", which is to have the same model.`, {
      spilloverDeploymentName: name
    })
}

/** What the management plane says that no other check is about. */
export const findings = (
  { deployment, models }: Managed,
  config: AzureO1Config.AzureO1Config
): ReadonlyArray<Finding> => {
  if (Result.isFailure(deployment)) return [unreadFinding(deployment.failure, config, "of the deployment")]
  const found = deployment.success
  const list = Result.getOrElse(models, (): ReadonlyArray<unknown> => [])
  return [
    Result.isFailure(models)
      ? unreadFinding(models.failure, config, "of the account's models")
      : pass("management", "The management plane tells of the deployment and of the account's models."),
    provisioning(found),
    lifecycle(found, list),
    capabilities(found, config),
    upgrade(found),
    spillover(found)
  ]
}
