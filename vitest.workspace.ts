import { defineConfig, type TestProjectInlineConfiguration } from "vitest/config"

const project = (name: string, root: string): TestProjectInlineConfiguration => ({
  extends: true,
  root,
  test: { name, include: ["test/**/*.test.ts"] }
})

export default defineConfig({
  test: {
    sequence: { concurrent: process.env.MUTATION === undefined },
    coverage: { provider: "v8", include: ["packages/{core,azure-o1}/src/**/*.ts"], reporter: ["text"] },
    projects: ["core"].map((name) => project(name, `packages/${name}`))
  }
})
