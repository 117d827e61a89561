import * as Fault from "@effect-resilience/core/Fault"
import type * as Duration from "effect/Duration"
import { faultOf, O1ErrorBase } from "./base.ts"
import { messageOf } from "./wording.ts"

/**
 * The service failed. `upstream` is 424, `conflict` 409, `not-implemented` 501 and 505.
 *
 * @category errors
 * @since 0.1.0
 */
export class O1ServerError extends O1ErrorBase("O1ServerError")<{
  readonly kind: "internal" | "unavailable" | "upstream" | "conflict" | "not-implemented"
  readonly retryAfter?: Duration.Duration | undefined
}> {
  get [Fault.TypeId](): Fault.Fault {
    return faultOf(this, this.kind === "not-implemented" ? Fault.permanent : Fault.transient(this))
  }

  override get message(): string {
    const later = "Try again later; if it stays, give the request id to Azure's support."
    switch (this.kind) {
      case "internal":
        return messageOf(this, "The service failed", later)
      case "unavailable":
        return messageOf(this, "The service is not available", later)
      case "upstream":
        return messageOf(this, "Something that the service depends on failed", later)
      case "conflict":
        return messageOf(this, "The request collided with another one", "Try again.")
      case "not-implemented":
        return messageOf(this, "The service cannot do this", "Check the API version and the model of the deployment.")
    }
  }
}

/** No way to the endpoint, as the platform says it. */
const unreachable = /^E(NET|HOST)(UNREACH|DOWN)$|^EADDRNOTAVAIL$/

/**
 * The connection failed. `closed`: it ended without notice. `client-closed` (499): a gateway believes that we left.
 * `unusable`: the HTTP client of this process is closed or broken; no request goes out, and none will.
 *
 * @category errors
 * @since 0.1.0
 */
export class O1ConnectionError extends O1ErrorBase("O1ConnectionError")<{
  readonly kind: "refused" | "reset" | "dns" | "tls" | "closed" | "client-closed" | "unusable"
  /** The code of the platform, for example `ECONNRESET`. */
  readonly code?: string | undefined
  /** The name of the error that broke the client, for example `TypeError`. Its message may hold the request, and stays out. */
  readonly reason?: string | undefined
}> {
  get [Fault.TypeId](): Fault.Fault {
    const stays = this.kind === "tls" || this.kind === "client-closed" || this.kind === "unusable"
    return faultOf(this, stays ? Fault.permanent : Fault.transient())
  }

  override get message(): string {
    if (this.code?.startsWith("PROXY_") === true) {
      return messageOf(
        this,
        "No connection to the endpoint",
        "Check the address of the proxy, and whether it lets this process through."
      )
    }
    switch (this.kind) {
      case "refused":
        if (unreachable.test(this.code ?? "")) {
          return messageOf(this, "The endpoint cannot be reached", "Check the network of this machine.")
        }
        return messageOf(
          this,
          "The endpoint refused the connection",
          "Check the endpoint and that something listens there."
        )
      case "reset":
        return messageOf(this, "The connection was reset", "")
      case "dns":
        return messageOf(
          this,
          "The host of the endpoint is not known",
          "Check the endpoint for a misspelt resource name."
        )
      case "tls":
        return messageOf(
          this,
          "No secure connection to the endpoint",
          "Check its certificate, and any proxy in between."
        )
      case "closed":
        return messageOf(this, "The connection was closed before the answer was complete", "")
      case "client-closed":
        return messageOf(this, "A gateway closed the request (499)", "Check the timeouts of what is in between.")
      case "unusable": {
        const because = [this.reason, this.code].filter((word) => word !== undefined).join(", ")
        return messageOf(
          this,
          `The HTTP client of this process cannot send${because === "" ? "" : ` (${because})`}`,
          whatToCheck(this)
        )
      }
    }
  }
}

const whatToCheck = ({ code, reason }: Pick<O1ConnectionError, "code" | "reason">): string =>
  (code ?? reason) === undefined || /DESTROYED|CLOSED/.test(code ?? "")
    ? "Check that its scope is still open: it has to live as long as the calls."
    : "Check the HttpClient that this program provides."

/**
 * The service sent something that is not an answer. `truncated`: it ended without saying that it was the end.
 * `unexpected-content-type`: a page, for example of a proxy. `schema-mismatch`: an answer that does not match the schema
 * given to `object`.
 *
 * @category errors
 * @since 0.1.0
 */
export class O1ProtocolError extends O1ErrorBase("O1ProtocolError")<{
  readonly kind: "truncated" | "malformed" | "unexpected-content-type" | "schema-mismatch"
}> {
  get [Fault.TypeId](): Fault.Fault {
    // what has been shown, what has been paid for, and the page of a proxy are not better the next time
    const again = this.partialText === "" && (this.kind === "truncated" || this.kind === "malformed")
    return faultOf(this, again ? Fault.transient() : Fault.permanent)
  }

  override get message(): string {
    switch (this.kind) {
      case "truncated":
        return messageOf(this, "The answer ended before it was complete", "")
      case "malformed":
        return messageOf(
          this,
          "The answer was not in the expected form",
          this.detail === undefined ? "Check what is between here and the service." : ""
        )
      case "unexpected-content-type":
        return messageOf(this, "The answer was of another kind", "Check the endpoint: this may be the page of a proxy.")
      case "schema-mismatch":
        return messageOf(
          this,
          "The answer does not fit the schema",
          this.completion === undefined ? "" : "The answer is in completion."
        )
    }
  }
}
