import * as Fault from "@effect-resilience/core/Fault"
import { faultOf, O1ErrorBase } from "./base.ts"
import { messageOf } from "./wording.ts"

/**
 * The request is not one that the service accepts. The same request will fail again.
 *
 * @category errors
 * @since 0.1.0
 */
export class O1RequestError extends O1ErrorBase("O1RequestError")<{
  readonly kind:
    | "invalid"
    | "unsupported-parameter"
    | "streaming-unsupported"
    | "context-length"
    | "too-large"
    | "operation-not-supported"
    | "response-not-found"
    | "unknown-item"
    | "cancelled"
  /** The parameter at fault, where it is known. */
  readonly param?: string | undefined
  /** The most tokens that the model takes, where the service told. */
  readonly limit?: number | undefined
  /** The tokens that were asked for, where the service told. */
  readonly requested?: number | undefined
}> {
  get [Fault.TypeId](): Fault.Fault {
    return faultOf(this, Fault.permanent)
  }

  override get message(): string {
    const parameter = this.param === undefined ? "a parameter" : `"${this.param}"`
    switch (this.kind) {
      case "invalid":
        return messageOf(
          this,
          this.param === undefined ? "The request is invalid" : `The request is invalid at ${parameter}`,
          ""
        )
      case "unsupported-parameter":
        return messageOf(
          this,
          `The model does not support ${parameter}`,
          "Leave it out, or use another model or API version."
        )
      case "streaming-unsupported":
        return messageOf(this, "The model does not stream", "")
      case "context-length":
        return messageOf(this, "The prompt is longer than the model's context", "Shorten it.")
      case "too-large":
        return messageOf(this, "The request is too large", "Shorten it.")
      case "operation-not-supported":
        return messageOf(this, "The model does not support this operation", "Check the model of the deployment.")
      case "response-not-found":
        return messageOf(this, "The stored response does not exist", "It may have expired.")
      case "unknown-item":
        return messageOf(this, "The service does not know an item of the conversation", "Leave it out.")
      case "cancelled":
        return messageOf(this, "Somebody cancelled the response", "")
    }
  }
}

/**
 * The service refused access. `credential`: this process could not get a token, and asked no deployment.
 *
 * @category errors
 * @since 0.1.0
 */
export class O1AuthError extends O1ErrorBase("O1AuthError")<{
  readonly kind: "unauthorized" | "forbidden" | "token-expired" | "credential"
}> {
  get [Fault.TypeId](): Fault.Fault {
    return faultOf(this, Fault.permanent)
  }

  override get message(): string {
    switch (this.kind) {
      case "unauthorized":
        return messageOf(
          this,
          "The key or role was not accepted",
          "Check that the key belongs to this endpoint, or that the role Cognitive Services OpenAI User is assigned."
        )
      case "forbidden":
        return messageOf(this, "Access is forbidden", "Check the resource's network rules and whether it allows keys.")
      case "token-expired":
        return messageOf(this, "The token has expired", "")
      case "credential":
        return messageOf(this, "The credential gave no token", "Check how this process signs in.")
    }
  }
}

/**
 * There is no such deployment, or no such path, or its model is gone.
 *
 * @category errors
 * @since 0.1.0
 */
export class O1DeploymentError extends O1ErrorBase("O1DeploymentError")<{
  readonly kind: "deployment-not-found" | "endpoint-not-found" | "model-retired"
}> {
  get [Fault.TypeId](): Fault.Fault {
    return faultOf(this, Fault.permanent)
  }

  override get message(): string {
    const name = this.deployment === undefined ? "The deployment" : `The deployment "${this.deployment}"`
    switch (this.kind) {
      case "deployment-not-found":
        return messageOf(
          this,
          `${name} does not exist`,
          "Check its name, which need not be the model's; one made in the last five minutes may need a moment."
        )
      case "endpoint-not-found":
        return messageOf(this, "The endpoint has no such path", "Check the endpoint and the API version.")
      case "model-retired":
        return messageOf(this, `${name} has a model that is retired`, "Deploy a current model.")
    }
  }
}

/**
 * The content filter refused the prompt, or cut off the completion.
 *
 * @category errors
 * @since 0.1.0
 */
export class O1ContentFilterError extends O1ErrorBase("O1ContentFilterError")<{
  readonly kind: "prompt" | "completion"
  /** The categories that were filtered, for example `violence`. */
  readonly categories: ReadonlyArray<string>
}> {
  get [Fault.TypeId](): Fault.Fault {
    return faultOf(this, Fault.permanent)
  }

  override get message(): string {
    const categories = this.categories.length === 0 ? "" : ` (${this.categories.join(", ")})`
    return messageOf(this, `The content filter stopped the ${this.kind}${categories}`, "Change the prompt.")
  }
}

/**
 * The model refused to give an object. (A refusal in words is an answer: it is in the completion's `refusal`.)
 *
 * @category errors
 * @since 0.1.0
 */
export class O1RefusalError extends O1ErrorBase("O1RefusalError")<{
  readonly kind: "refused"
  /** The model's words. */
  readonly refusal: string
}> {
  get [Fault.TypeId](): Fault.Fault {
    return faultOf(this, Fault.permanent)
  }

  override get message(): string {
    return messageOf(this, "The model refused to answer", "Its words are in refusal. Change the prompt.")
  }
}
