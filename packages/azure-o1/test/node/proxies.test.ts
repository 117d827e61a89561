import { assert, describe, it } from "@effect/vitest"
import { environmentProblems, fromEnvironment, proxyProblem } from "../../src/node/proxies.ts"

const target = (url: string) => new URL(url)

describe("proxies", () => {
  const azure = "https://x.openai.azure.com"
  const p = "http://proxy.example:3128"
  const table: ReadonlyArray<readonly [string, Record<string, string>, string, string | undefined]> = [
    ["none", {}, azure, undefined],
    ["for https", { HTTPS_PROXY: p }, azure, p],
    ["in small letters", { https_proxy: p }, azure, p],
    ["small letters first", { HTTPS_PROXY: "http://other.example", https_proxy: p }, azure, p],
    ["that of http is not that of https", { HTTP_PROXY: p }, azure, undefined],
    ["for http", { HTTP_PROXY: p }, "http://gateway.example", p],
    ["for all", { ALL_PROXY: p }, azure, p],
    ["for all but https", { ALL_PROXY: "http://other.example", HTTPS_PROXY: p }, azure, p],
    ["without a protocol", { HTTPS_PROXY: "proxy.example:3128" }, azure, p],
    ["empty", { HTTPS_PROXY: "", https_proxy: " " }, azure, undefined],
    ["this machine is no exception", { HTTP_PROXY: p }, "http://127.0.0.1:8080", p],
    [
      "this machine is one",
      { HTTP_PROXY: p, NO_PROXY: "localhost,127.0.0.0/8,::1" },
      "http://127.0.0.1:8080",
      undefined
    ],
    [
      "this machine by name",
      { HTTP_PROXY: p, NO_PROXY: "localhost,127.0.0.0/8,::1" },
      "http://localhost:80",
      undefined
    ],
    ["this machine as IPv6", { HTTP_PROXY: p, NO_PROXY: "localhost,127.0.0.0/8,::1" }, "http://[::1]:80", undefined],
    ["all are excepted", { HTTPS_PROXY: p, NO_PROXY: "*" }, azure, undefined],
    ["excepted by name", { HTTPS_PROXY: p, NO_PROXY: "a.example, x.openai.azure.com" }, azure, undefined],
    ["excepted in capitals", { HTTPS_PROXY: p, no_proxy: "X.OPENAI.AZURE.COM" }, azure, undefined],
    ["excepted by domain", { HTTPS_PROXY: p, NO_PROXY: "azure.com" }, azure, undefined],
    ["excepted by domain with a dot", { HTTPS_PROXY: p, NO_PROXY: ".azure.com" }, azure, undefined],
    ["excepted by domain with a star", { HTTPS_PROXY: p, NO_PROXY: "*.azure.com" }, azure, undefined],
    ["another domain with the same end", { HTTPS_PROXY: p, NO_PROXY: "zure.com" }, azure, p],
    ["a name that is longer", { HTTPS_PROXY: p, NO_PROXY: "a.x.openai.azure.com" }, azure, p],
    ["excepted with its port", { HTTPS_PROXY: p, NO_PROXY: "azure.com:443" }, azure, undefined],
    ["another port", { HTTPS_PROXY: p, NO_PROXY: "azure.com:8443" }, azure, p],
    ["several, with blanks", { HTTPS_PROXY: p, NO_PROXY: "a.example  azure.com" }, azure, undefined],
    ["an address", { HTTPS_PROXY: p, NO_PROXY: "10.1.2.3" }, "https://10.1.2.3", undefined],
    ["a range", { HTTPS_PROXY: p, NO_PROXY: "10.0.0.0/8" }, "https://10.1.2.3", undefined],
    ["outside of the range", { HTTPS_PROXY: p, NO_PROXY: "10.0.0.0/8" }, "https://11.1.2.3", p],
    ["a name and a range", { HTTPS_PROXY: p, NO_PROXY: "10.0.0.0/8" }, azure, p],
    ["no range at all", { HTTPS_PROXY: p, NO_PROXY: "10.0.0.0/99,x/y,/" }, "https://10.1.2.3", p],
    ["an IPv6 address", { HTTPS_PROXY: p, NO_PROXY: "[2001:db8::1]" }, "https://[2001:db8::1]", undefined],
    [
      "an IPv6 address without brackets",
      { HTTPS_PROXY: p, NO_PROXY: "2001:db8::1" },
      "https://[2001:db8::1]",
      undefined
    ],
    ["an IPv6 range", { HTTPS_PROXY: p, NO_PROXY: "2001:db8::/32" }, "https://[2001:db8::1]", undefined],
    ["the end of an address is no domain", { HTTPS_PROXY: p, NO_PROXY: "2.3" }, "https://10.1.2.3", p]
  ]
  for (const [what, environment, url, expected] of table) {
    it(`${what}: ${JSON.stringify(environment)}`, () => {
      assert.strictEqual(fromEnvironment(environment)(target(url))?.origin, expected)
    })
  }

  const wrong: ReadonlyArray<readonly [unknown, RegExp]> = [
    ["socks5://proxy.example", /must be an http:\/\/ or https:\/\/ URL, got one with socks5:/],
    ["http://", /must be a URL/],
    ["http://a b", /must be a URL/],
    [7, /must be a URL/]
  ]
  for (const [value, problem] of wrong) {
    it(`${String(value)} is none`, () => {
      assert.match(proxyProblem(value)!, problem)
      if (typeof value === "string") {
        assert.match(environmentProblems({ https_proxy: value })[0]!, /^HTTPS_PROXY must be/)
      }
    })
  }
})
