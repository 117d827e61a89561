/** Prompts in, answers out, however often a process dies meanwhile: `npm run batch -- --help` tells how. */
import { main } from "./program.ts"

main(import.meta.filename)
