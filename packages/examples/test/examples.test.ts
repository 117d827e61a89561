import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { readdirSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { run } from "./support.ts"

const lines = (...lines: ReadonlyArray<string>): string => lines.map((line) => `${line}\n`).join("")

/** What each program prints, to the letter. */
const expected: Record<string, string> = {
  "01-call.ts": lines(
    "Because air scatters blue light more than red.",
    "(128 tokens of reasoning)"
  ),
  "02-stream.ts": lines(
    "[asked, by stream]",
    "[O1ConnectionError, trying again]",
    "[asked, by stream]",
    "one",
    " two",
    " three",
    "[stop]",
    "[asked, by stream]",
    "one",
    " two",
    "[O1ProtocolError after \"one two\"]"
  ),
  "03-timeout-per-task.ts": lines(
    "Suggestion: none: No answer within 300ms. Reasoning can take minutes: raise the timeout of the call, or lower the reasoning effort.",
    "Report: all is well."
  ),
  "04-own-policy.ts": lines(
    "timeout total (limit: 10s)",
    "└─ retry (schedule: custom, retryAfter: 1m)",
    "   └─ circuit-breaker \"warehouse\" (trip: 5 failures in a row, open: 10s doubling to 30s)",
    "      └─ timeout attempt (limit: 2s)",
    "         └─ audited \"warehouse\"",
    "path: the caller's fiber",
    "warehouse: Failure",
    "warehouse: Failure",
    "warehouse: Success",
    "in stock: 42",
    "warehouse: Success",
    "movements: in 3, out 1"
  ),
  "05-own-error.ts": lines(
    "saved with call 3",
    "not tried again: Conflict at version 10",
    "not tried again: NotFound",
    "saved with call 2, after the pause that was asked for"
  ),
  "06-swapping-layers.ts": lines("It is about layers."),
  "07-breaker-state.ts": lines(
    "rejected: CircuitOpen",
    "payments: Closed -> Open",
    "payments: Open -> HalfOpen",
    "payments: HalfOpen -> Closed",
    "payments: Closed -> Isolated",
    "payments is Isolated",
    "o1 after 1 failures: Closed",
    "o1 after 2 failures: Closed",
    "o1 after 3 failures: Closed",
    "o1 after 4 failures: Closed",
    "o1 after 5 failures: Open"
  ),
  "08-prompt.ts": lines(
    "warning: chain-of-thought (about 5 tokens)",
    "info: markdown-not-enabled",
    "info: pretty-json (about 23 tokens)",
    "developer: \"Formatting re-enabled\\nYou answer questions about the stock. Answer in Markdown.\"",
    "user: \"Which items are sold out?\\n\\n{\\\"warehouse\\\":\\\"north\\\",\\\"items\\\":[{\\\"sku\\\":\\\"KX-1042\\\",\\\"count\\\":12}," +
      "{\\\"sku\\\":\\\"KX-2207\\\",\\\"count\\\":0}]}\"",
    "estimated 77 tokens, counted 65",
    "Nothing new. (16 messages given up)"
  ),
  "09-monitor.ts": lines(
    "deployment             o1",
    "model       o1-2024-12-17",
    "effort             medium",
    "attempts              428",
    "retries                28",
    "timeouts               30",
    "p50                   23s",
    "p95                   69s",
    "p99                   99s",
    "first p95               -",
    "calls                 400",
    "call p95             126s",
    "tokens/s               80",
    "reasoning            75 %",
    "",
    "o1, o1-2024-12-17, medium",
    "outcome                 attempts  calls",
    "success                      398    398",
    "O1TimeoutError/attempt        30      2",
    "",
    "o1, o1-2024-12-17, medium",
    "  timeout       149s      good     p99 of 395 answers is 99s; x 1.5",
    "  first output  60s       too few  0 first outputs are fewer than 20, so it",
    "                                   stays as it is",
    "  idle          2min      too few  the pauses within answers are not observed,",
    "                                   so it stays as it is",
    "  onTimeout     escalate  good     p99 is 4.2 times the median of 23s: a long",
    "                                   tail, so what was cut off may be a hard",
    "                                   prompt that needs more time",
    "  retries       2         good     30 of 428 attempts failed in a way that may",
    "                                   pass; if failures are independent, 2 retries",
    "                                   leave about one call in 2,669 without an",
    "                                   answer",
    "  total         10min     good     an attempt of 149s, one more of 298s and 2min",
    "                                   of waiting are 567s",
    "  hedge after   69s       good     p95 of 395 answers is 69s: a second request",
    "                                   would be sent for 4.2 % of the calls, which",
    "                                   is as much more load; where a slow answer is",
    "                                   chance and no hard prompt, p99 falls from 99s",
    "                                   to 88s",
    "  concurrency   13        good     12 calls/min are planned, of 33s on average:",
    "                                   6.5 at once (Little's law); if they come by",
    "                                   chance, 13 are enough 99 % of the time",
    "  ! the limit of 60s cuts off about 7.0 % of the attempts, and answers come",
    "    right up to it and beyond",
    "  ! a limit of 60s is under the 2min below which Microsoft wants clients to",
    "    warn, and it is shorter than what was seen asks for",
    "",
    `The picture: ${join(tmpdir(), "o1-latency.svg")}`
  ),
  "10-verify.ts": lines(
    "pass     config      The configuration is complete, and the v1 path has no versions.",
    "pass     endpoint    The endpoint is this machine.",
    "pass     dns         The name 127.0.0.1 is known.",
    "pass     tcp         The host takes connections.",
    "skipped  tls         The endpoint is not https://, as is allowed on this machine only.",
    "pass     auth        The key is accepted.",
    "pass     deployment  \"o1\" is there, and it answers.",
    "pass     model       The model is gpt-5.1-2025-11-13, as the profile gpt-5.1 has it.",
    "pass     streaming   The answer came as a stream.",
    "pass     usage       The answer cost 8 tokens of input and 65 of output.",
    "warn     limits      A request of 27000 tokens is never admitted: a minute has 10000, and Azure counts prompt and maxCompletionTokens when it admits.",
    "                     -> Lower maxCompletionTokens, or raise the deployment's capacity: waiting does not help.",
    "pass     clock       This machine's clock agrees with the service's.",
    "skipped  management  The management plane was not asked.",
    "                     -> Give access to it with the option management.",
    "",
    "The deployment is fit.",
    "",
    "The deployment \"o1-misspelt\" cannot be relied on:",
    "- deployment: There is no deployment \"o1-misspelt\". Check its name, which need not be the model's, and that the endpoint is that of its resource; one made in the last five minutes may need a moment."
  ),
  "11-failover.ts": lines(
    "[east: O1RateLimitError/requests, so west is asked]",
    "West answers.",
    "West again, at once.",
    "East is back.",
    "[east: O1RateLimitError/requests, so west is asked]",
    "[nobody is left, so the first that may be asked again is waited for]",
    "East was the first to be back.",
    "No answer: west O1RateLimitError/requests, after east O1AuthError/unauthorized"
  ),
  "12-services.ts": lines(
    "shop: how many are there?",
    "  warehouse: knows how long it has, answers 503",
    "  warehouse: knows how long it has, answers 429",
    "  warehouse: knows how long it has, answers 200",
    "shop: 42",
    "bulkhead warehouse: {\"inUse\":0,\"queued\":0,\"concurrency\":1000,\"maxQueue\":0}",
    "circuit-breaker warehouse: {\"_tag\":\"Closed\",\"calls\":2,\"failures\":1,\"consecutiveFailures\":0}",
    "retry-budget warehouse: {\"available\":48,\"calls\":0,\"held\":0}",
    "shop: and now, within three seconds?",
    "  warehouse: knows how long it has, does not answer",
    "shop: no answer in time"
  ),
  "13-conversation.ts": lines(
    "[counting lamp]",
    "[counting chair]",
    "There are 12 lamps and no chairs.",
    "[counting table]",
    "There is no such item.",
    "No",
    "ne"
  ),
  "15-quota.ts": lines(
    "Turns: nightly ... chat, chat, chat, nightly, chat, chat, chat ... nightly",
    "Requests: 12 for 12 answers, so none was refused.",
    "Larger than the minute: O1RateLimitError/request-exceeds-limit. Azure would charge 70,003 tokens for it, and the minute has 60,000. It was not sent.",
    "Beyond the hour: O1RejectedError/ceiling. The request may take 20,003 tokens, and the hour has 20,000.",
    "Left of the minute: 288 requests. Waiting: {}.",
    "Spent in the last hour: 888 of 20000 tokens."
  ),
  "14-without-effect.ts": lines(
    "Because air scatters blue light more than red.",
    "one",
    " two",
    "TimeoutError",
    "O1AuthError/unauthorized"
  ),
  "16-pool.ts": lines(
    "> Who is there?",
    "Sweden answers.",
    "> And when Sweden has no room?",
    "[sweden: O1RateLimitError/requests, so east is asked]",
    "East answers.",
    "  sweden, provisioned: cooling",
    "  east, pay-as-you-go: available",
    "> And after two seconds?",
    "Sweden has room again.",
    "> And when Sweden thinks for long?",
    "[sweden is silent, so east is asked as well]",
    "East answers.",
    "[Sweden has been told to stop]",
    "> And without Sweden?",
    "East answers.",
    "  east, pay-as-you-go: available"
  ),
  "17-simulate.ts": lines(
    "stack success p50 p99 sent tokens money",
    "no policy # # # # # #",
    "retry, timeout # # # # # #",
    "standard # - - # - -",
    "fitted # # # # # #",
    "+ quota # # # # # #",
    "ours # # # # # #",
    "",
    "- The calls are charged # tokens a minute, and the quota has #.",
    "",
    "- Set the limit of an attempt to # (p99, which is #, and half of it). Compared with the default of #, # of the calls succeed rather than #.",
    "",
    "- A limiter that keeps to the quota makes no difference to success and p99 beyond chance.",
    "",
    "- # of the calls succeed without any policy, and # with \"fitted\".",
    "",
    "- Compared with \"ours\", \"fitted\" does this: # of the calls succeed rather than #, p99 is # rather than #, a thousand answers cost # rather than #.",
    "",
    "const policy = Pipelines.makeStandardUnsafe({ attempt: \"6 minutes\" })"
  )
}

/** What a simulation measured changes with every default: the sentences stay. */
const simulated = (stdout: string): string =>
  stdout.replaceAll(/(?<![\w"])\d(?:[\d,.]*\d)?(?:ms|s|min|h| %)?(?![\w"])/gu, "#").replaceAll(/ +/gu, " ")

/** Without what no two runs share, and without what depends on the day: when a model is retired. */
const settled = (stdout: string): string =>
  stdout
    .replaceAll(/ \(request [\da-f-]+\)/gu, "")
    .replace(/^\w+ +retirement .*\n(?: +-> .*\n)?/mu, "")
    .replace(/^(The deployment is fit): .*$/mu, "$1.")
    // how many of the lighter caller go before the first of the heavier one depends on the machine; three to one does not
    .replace(
      /^Turns: (?:nightly, ){1,4}(chat, .*, chat), (?:nightly, ){0,3}nightly$/mu,
      "Turns: nightly ... $1 ... nightly"
    )

describe("examples", () => {
  it("every one of them is here", () => {
    const programs = readdirSync(fileURLToPath(new URL("../src/", import.meta.url))).filter((name) =>
      name.endsWith(".ts")
    )
    assert.sameMembers(programs, Object.keys(expected))
  })

  for (const [program, stdout] of Object.entries(expected)) {
    it.live(program, () =>
      Effect.gen(function*() {
        const ran = yield* run(program)
        const shown = program === "17-simulate.ts" ? simulated(ran.stdout) : settled(ran.stdout)
        assert.deepStrictEqual({ ...ran, stdout: shown }, { code: 0, stdout, stderr: "" })
      }), 180_000)
  }
})
