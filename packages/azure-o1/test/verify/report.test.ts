import { assert, it } from "@effect/vitest"
import * as Verify from "../../src/Verify.ts"
import { fail, pass, skipped, toReport, warn } from "../../src/verify/finding.ts"

const report = toReport([
  fail("deployment", "There is no deployment \"01\".", "Check its name.", { status: 404, said: undefined }),
  pass("config", "All is well."),
  warn("limits", "First.", "Wait."),
  warn("limits", "Second.", "Wait longer."),
  skipped("dns", "Nobody looked.")
], [])

it("a report is in the order of the checks, and of the findings of a check", () => {
  assert.isFalse(report.ok)
  assert.deepStrictEqual(report.findings.map(({ message }) => message), [
    "All is well.",
    "Nobody looked.",
    "There is no deployment \"01\".",
    "First.",
    "Second."
  ])
  assert.deepStrictEqual(report.findings[2]!.details, { status: 404 })
})

it("secrets are taken out, the longer one first", () => {
  const [finding] =
    toReport([warn("auth", "secret-1 and secret", "not secret, not a", { said: "xsecret-1x", status: 1 })], [
      "secret",
      "secret-1",
      "a",
      ""
    ]).findings
  assert.deepInclude(finding, {
    message: "<redacted> and <redacted>",
    fix: "not <redacted>, not a",
    details: { said: "x<redacted>x", status: 1 }
  })
})

it("is printed in columns, plainly", () => {
  assert.strictEqual(
    Verify.format(report),
    `pass     config      All is well.
skipped  dns         Nobody looked.
fail     deployment  There is no deployment "01".
                     -> Check its name.
warn     limits      First.
                     -> Wait.
warn     limits      Second.
                     -> Wait longer.

The deployment is unfit: 1 passed, 2 warnings, 1 failed, 1 skipped.`
  )
})

it("is printed in colours if that is asked for", () => {
  const [first, , , last] = Verify.format(toReport([skipped("dns", "No."), pass("tcp", "Yes.")], []), { color: true })
    .split("\n")
  assert.strictEqual(first, "\u001b[2mskipped\u001b[0m  dns  No.")
  assert.strictEqual(last, "\u001b[32mThe deployment is fit: 1 passed, 1 skipped.\u001b[0m")
})

it("an empty report says so", () => {
  assert.strictEqual(Verify.format({ ok: true, findings: [] }).trim(), "The deployment is fit: nothing was checked.")
})
