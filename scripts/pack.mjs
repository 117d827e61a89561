// Packs both packages, installs them with npm into an empty project, and uses them there. Needs `npm run build` before.
import { readFileSync, rmSync } from "node:fs"
import { basename, join } from "node:path"
import process from "node:process"
import { compile, expected, pack, peer, projectWith, root, run } from "./consumer.mjs"

const types = JSON.parse(readFileSync(join(root, "package.json"), "utf8")).devDependencies["@types/node"]
const folder = join(root, "packs")
let project
try {
  rmSync(folder, { recursive: true, force: true })
  const archives = pack(folder)
  console.log(`packed: ${archives.map((archive) => basename(archive)).join(", ")}`)
  project = projectWith(archives, [peer("@effect/platform-node"), `@types/node@${types}`])
  console.log("installed with npm into an empty project")
  for (const [program, output] of Object.entries(expected)) {
    const seen = run(project, process.execPath, [`${program}.ts`]).trim()
    if (seen !== output) throw new Error(`${program}.ts printed ${JSON.stringify(seen)}, not ${JSON.stringify(output)}`)
    console.log(`ran ${program}.ts: ${seen}`)
  }
  compile(project, join(root, "node_modules", "typescript", "bin", "tsc"), "nodenext")
  console.log("compiled them, strictly")
  console.log(`\nIn a project of yours:\n  npm install ${
    archives.map((archive) => `${root}/packs/${basename(archive)}`).join(" \\\n    ")
  } effect\n\nThe client on Node's own HTTP client, azure-o1/node, needs @effect/platform-node as well.`)
} catch (error) {
  console.error(error.message)
  process.exitCode = 1
} finally {
  if (project !== undefined) rmSync(project, { recursive: true, force: true })
}
