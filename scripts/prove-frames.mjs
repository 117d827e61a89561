// Proves the frames of packages/core with a version of Effect: runs the suite of core both ways, and adds the version to the list.
//
//   node scripts/bootstrap.mjs node scripts/prove-frames.mjs 4.1.1
import { spawnSync } from "node:child_process"
import { readFileSync, writeFileSync } from "node:fs"
import process from "node:process"

const list = "packages/core/src/internal/frame.ts"
const [version] = process.argv.slice(2)
if (!/^\d+\.\d+\.\d+$/.test(version ?? "")) {
  console.error("usage: prove-frames.mjs VERSION, for example 4.1.1")
  process.exit(2)
}

const run = (frames, command, ...args) =>
  spawnSync(command, args, {
    stdio: "inherit",
    env: { ...process.env, ...frames === undefined ? {} : { EFFECT_RESILIENCE_FRAMES: frames } }
  }).status === 0

const suite = (frames) => run(frames, "vitest", "run", "--config", "vitest.workspace.ts", "--project", "core")

const proven = run(undefined, "pnpm", "--recursive", "update", `effect@${version}`) && suite("on") && suite("off")
if (!proven) {
  console.error(`effect ${version} is not proven: with this version policies use child fibers`)
  run(undefined, "git", "checkout", "--", "pnpm-lock.yaml", "package.json", "packages/*/package.json", "tools/*/package.json")
  run(undefined, "pnpm", "install", "--frozen-lockfile")
  process.exit(1)
}

const source = readFileSync(list, "utf8")
const known = /const provenVersions: ReadonlySet<string> = new Set\(\[(.*?)\]\)/
const versions = [...new Set([...known.exec(source)[1].split(", "), JSON.stringify(version)])]
writeFileSync(list, source.replace(known, `const provenVersions: ReadonlySet<string> = new Set([${versions.join(", ")}])`))
console.log(`effect ${version} is proven, and in the list of ${list}`)
