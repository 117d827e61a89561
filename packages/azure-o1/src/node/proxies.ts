import * as net from "node:net"

/** Where a connection is to go. */
export interface Target {
  readonly protocol: string
  readonly hostname: string
  /** `""` for the protocol's own. */
  readonly port: string
}

/** The proxy that leads to a target, if one does. */
export type Proxies = (target: Target) => URL | undefined

export const none: Proxies = () => undefined

/** The problem of the address of a proxy, if it has one. The address may hold a password. */
export const proxyProblem = (value: unknown): string | undefined => {
  if (typeof value !== "string" || !URL.canParse(withProtocol(value))) {
    return "must be a URL, for example http://proxy.example:3128"
  }
  const { protocol } = new URL(withProtocol(value))
  return protocol === "http:" || protocol === "https:"
    ? undefined
    : `must be an http:// or https:// URL, got one with ${protocol}//`
}

/** Environments name proxies without a protocol as well. */
const withProtocol = (value: string): string => /^[a-z][a-z\d+.-]*:\/\//i.test(value) ? value : `http://${value}`

export const proxyUrl = (value: string): URL => new URL(withProtocol(value))

const bare = (host: string): string => host.toLowerCase().replace(/^\[|\]$/g, "").replace(/\.$/, "")

const portOf = ({ port, protocol }: Target): string => port || (protocol === "https:" ? "443" : "80")

const family = (address: string): "ipv4" | "ipv6" => net.isIPv6(address) ? "ipv6" : "ipv4"

const contains = (range: string, address: string): boolean => {
  const [start = "", bits = ""] = range.split("/")
  if (net.isIP(start) === 0 || net.isIP(address) === 0 || !/^\d{1,3}$/.test(bits)) return false
  if (Number(bits) > (net.isIPv6(start) ? 128 : 32)) return false
  const list = new net.BlockList()
  list.addSubnet(start, Number(bits), family(start))
  return list.check(address, family(address))
}

const matches = (entry: string, target: Target): boolean => {
  if (entry === "*") return true
  const host = bare(target.hostname)
  if (entry.includes("/")) return contains(bare(entry), host)
  const [, name = "", port = ""] = /^(\[[^\]]*\]|[^:]*|.*:.*:.*?)(?::(\d+))?$/.exec(entry) ?? []
  if (port !== "" && port !== portOf(target)) return false
  const domain = bare(name).replace(/^\*?\./, "")
  return domain !== "" && (host === domain || (net.isIP(host) === 0 && host.endsWith(`.${domain}`)))
}

type Environment = { readonly [name: string]: string | undefined }

const variable = (environment: Environment, name: string): string | undefined => {
  const value = (environment[name.toLowerCase()] ?? environment[name])?.trim()
  return value === "" ? undefined : value
}

const names = ["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"] as const

/** The problems of the proxies that an environment names. */
export const environmentProblems = (environment: Environment): ReadonlyArray<string> =>
  names.flatMap((name) => {
    const value = variable(environment, name)
    const problem = value === undefined ? undefined : proxyProblem(value)
    return problem === undefined ? [] : [`${name} ${problem}`]
  })

/**
 * The proxies that an environment names: `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`, in small letters first. As for
 * Node and curl, this machine is no exception unless `NO_PROXY` says so.
 */
export const fromEnvironment = (environment: Environment): Proxies => {
  const of = (name: typeof names[number]): URL | undefined => {
    const value = variable(environment, name) ?? variable(environment, "ALL_PROXY")
    return value === undefined ? undefined : proxyUrl(value)
  }
  const [https, http] = [of("HTTPS_PROXY"), of("HTTP_PROXY")]
  if (https === undefined && http === undefined) return none
  const direct = (variable(environment, "NO_PROXY") ?? "").split(/[\s,]+/).filter((entry) => entry !== "")
  return (target) =>
    direct.some((entry) => matches(entry, target))
      ? undefined
      : target.protocol === "https:"
      ? https
      : http
}
