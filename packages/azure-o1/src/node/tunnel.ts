import * as http from "node:http"
import * as https from "node:https"
import type * as net from "node:net"
import type * as tls from "node:tls"
import type { Target } from "./proxies.ts"

type Result = readonly [error: Error, socket: null] | readonly [error: null, socket: net.Socket]

type Callback = (...result: Result) => void

const failed = (code: string, message: string): Error => Object.assign(new Error(message), { code })

/** A password with a percent sign that nobody has encoded is meant as it is. */
const decoded = (part: string): string => {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}

const authorization = ({ password, username }: URL): Record<string, string> =>
  username === "" && password === ""
    ? {}
    : {
      "proxy-authorization": `Basic ${Buffer.from(`${decoded(username)}:${decoded(password)}`).toString("base64")}`
    }

/** A connection to a target that a proxy has opened. Its failures have codes that begin with `PROXY_`. */
export const tunnel = (
  proxy: URL,
  { hostname, port, protocol }: Target,
  options: { readonly timeout: number; readonly tls: tls.SecureContextOptions },
  callback: Callback
): void => {
  const authority = `${hostname}:${port || (protocol === "https:" ? "443" : "80")}`
  const request = (proxy.protocol === "https:" ? https : http).request({
    ...options.tls,
    host: proxy.hostname.replace(/^\[|\]$/g, ""),
    port: proxy.port || (proxy.protocol === "https:" ? 443 : 80),
    method: "CONNECT",
    path: authority,
    headers: { host: authority, ...authorization(proxy) },
    agent: false
  })
  let done = false
  const settle: Callback = (...result) => {
    if (done) return
    done = true
    clearTimeout(timer)
    callback(...result)
  }
  const timer = setTimeout(() => {
    settle(failed("UND_ERR_CONNECT_TIMEOUT", "The proxy did not open the tunnel in time"), null)
    request.destroy()
  }, options.timeout)
  const refused = (status: number | undefined): Error =>
    failed(`PROXY_${status ?? 0}`, `The proxy answered ${status} to the tunnel`)
  request
    .on("connect", ({ statusCode = 0 }, socket, head) => {
      if (done || statusCode < 200 || statusCode > 299) {
        socket.destroy()
        return settle(refused(statusCode), null)
      }
      if (head.length > 0) socket.unshift(head)
      settle(null, socket)
    })
    .on("response", (response) => {
      settle(refused(response.statusCode), null)
      request.destroy()
    })
    .on(
      "error",
      (error: NodeJS.ErrnoException) =>
        settle(failed(`PROXY_${error.code ?? "FAILED"}`, "The proxy could not be reached"), null)
    )
    .end()
}
