import type * as Duration from "effect/Duration"
import type * as Redacted from "effect/Redacted"

/**
 * How connections are made.
 *
 * @category models
 * @since 0.1.0
 */
export interface HttpClientOptions {
  /**
   * How long connecting may take, TLS included. Behind a proxy the tunnel and TLS have so long each. After that:
   * `O1TimeoutError` of kind `connect`.
   *
   * @default "10 seconds"
   */
  readonly connectTimeout?: Duration.Input | undefined
  /**
   * The proxy of all connections, for example `http://user:password@proxy.example:3128`, or `false` for none. Each connection is a
   * tunnel (`CONNECT`), so that the proxy sees no key.
   *
   * @default that of the environment: HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY, in capitals or small letters
   */
  readonly proxy?: string | Redacted.Redacted | false | undefined
  /**
   * The most sockets to one host; further requests wait for one. A stream holds its socket until it ends.
   *
   * @default no limit
   */
  readonly maxSockets?: number | undefined
  /** Certificates of authorities, as PEM, that are trusted besides those that Node trusts. */
  readonly ca?: string | ReadonlyArray<string> | undefined
  /** With which this process shows who it is, as PEM. */
  readonly clientCertificate?: {
    readonly cert: string
    readonly key: string | Redacted.Redacted
    readonly passphrase?: string | Redacted.Redacted | undefined
  } | undefined
}
