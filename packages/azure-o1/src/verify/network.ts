import * as Context from "effect/Context"
import * as Data from "effect/Data"
import type * as Effect from "effect/Effect"

/**
 * A step on the way to a host that failed.
 *
 * @category errors
 * @since 0.1.0
 */
export class NetworkFailure extends Data.TaggedError("NetworkFailure")<{
  /** The code of the platform, for example `ENOTFOUND`. */
  readonly code: string | undefined
  readonly detail: string
}> {
  override get message(): string {
    return this.code === undefined || this.detail.includes(this.code) ? this.detail : `${this.code}: ${this.detail}`
  }
}

/**
 * What a host showed of itself when the secure connection was made.
 *
 * @category models
 * @since 0.1.0
 */
export interface Certificate {
  /** Milliseconds since the epoch. */
  readonly validTo: number
  readonly subject: string
  readonly issuer: string
  /** For example `TLSv1.3`. */
  readonly protocol: string | undefined
}

/**
 * The steps below HTTP, one by one. None of them sends anything.
 *
 * @category models
 * @since 0.1.0
 */
export interface Network {
  /** The addresses of a host. */
  readonly resolve: (host: string) => Effect.Effect<ReadonlyArray<string>, NetworkFailure>
  /** Connects and closes again. */
  readonly connect: (host: string, port: number) => Effect.Effect<void, NetworkFailure>
  /** Makes a secure connection, with the certificate checked, and closes it again. */
  readonly secure: (host: string, port: number) => Effect.Effect<Certificate, NetworkFailure>
}

/**
 * The means to look below HTTP; none by default, and then name, connection and certificate are judged by how the HTTP request
 * fails. `layerNetwork` of `azure-o1/node` is the one for Node.
 *
 * @category references
 * @since 0.1.0
 */
export const Network = Context.Reference<Network | undefined>("@effect-resilience/azure-o1/Verify/Network", {
  defaultValue: () => undefined
})
