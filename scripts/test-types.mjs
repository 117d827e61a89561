// tstyche runs on the JavaScript API of TypeScript 6: TypeScript 7 has none.
import { spawnSync } from "node:child_process"
import { createRequire } from "node:module"
import process from "node:process"
import { pathToFileURL } from "node:url"

const typescript = createRequire(new URL("../tools/docs/package.json", import.meta.url)).resolve("typescript")
const { status } = spawnSync("tstyche", process.argv.slice(2), {
  stdio: "inherit",
  shell: process.platform === "win32",
  env: { ...process.env, TSTYCHE_TYPESCRIPT_MODULE: pathToFileURL(typescript).href }
})
process.exit(status ?? 1)
