import { type ChildProcess, spawn } from "node:child_process"
import { accessSync, constants } from "node:fs"
import { connect, createServer } from "node:net"
import { delimiter, join } from "node:path"

const executable = (file: string): boolean => {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}

const binary: string | undefined = (process.env.PATH ?? "").split(delimiter)
  .map((folder) => join(folder, "redis-server"))
  .find(executable)

/** Whether this machine has a `redis-server`. */
export const available: boolean = binary !== undefined

export const absent = "there is no redis-server on the PATH"

const host = "127.0.0.1"
const patience = 10_000

const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer().once("error", reject)
    server.listen(0, host, () => {
      const address = server.address()
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0))
    })
  })

const answers = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect({ host, port })
    const end = (answer: boolean): void => {
      socket.destroy()
      resolve(answer)
    }
    socket.setTimeout(500, () => end(false))
    socket.once("error", () => end(false))
    socket.once("data", (data) => end(data.toString().startsWith("+PONG")))
    socket.once("connect", () => socket.write("PING\r\n"))
  })

const sleep = (millis: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, millis))

/** One run of the program: from its start to its end. */
class Run {
  private readonly child: ChildProcess
  /** ends the program as well when this process is gone and could not say so */
  private readonly watch: ChildProcess
  readonly ended: Promise<void>
  private output = ""
  private readonly end = (): void => {
    this.child.kill("SIGKILL")
  }

  constructor(port: number) {
    const options = { bind: host, port, save: "", appendonly: "no", daemonize: "no" }
    const words = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)])
    this.child = spawn(binary!, words, { stdio: ["ignore", "pipe", "pipe"] })
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.on("data", (text) => this.output = (this.output + text).slice(-2000))
    }
    this.watch = spawn("sh", ["-c", `cat >/dev/null; kill -9 ${this.child.pid}`], {
      stdio: ["pipe", "ignore", "ignore"]
    })
    this.ended = new Promise((resolve) => this.child.once("exit", () => resolve()))
    void this.ended.then(() => this.watch.kill("SIGKILL"))
    process.once("exit", this.end)
    this.child.unref()
    this.watch.unref()
  }

  get pid(): number | undefined {
    return this.child.pid
  }

  get running(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal)
  }

  async kill(): Promise<void> {
    process.removeListener("exit", this.end)
    if (!this.running) return
    // somebody waits for it now
    this.child.ref()
    this.end()
    await this.ended
  }

  async ready(port: number): Promise<void> {
    for (let waited = 0; waited < patience; waited += 20) {
      if (!this.running) break
      // eslint-disable-next-line no-await-in-loop -- one after the other
      if (await answers(port)) return
      // eslint-disable-next-line no-await-in-loop -- one after the other
      await sleep(20)
    }
    await this.kill()
    throw new Error(`redis-server did not start on port ${port}:\n${this.output}`)
  }
}

/** A `redis-server` of our own: on loopback, without a file. */
export class Server {
  readonly port: number
  private run: Run

  private constructor(port: number, run: Run) {
    this.port = port
    this.run = run
  }

  static async start(): Promise<Server> {
    if (!available) throw new Error(absent)
    for (let tries = 1;; tries++) {
      // eslint-disable-next-line no-await-in-loop -- one after the other
      const port = await freePort()
      const run = new Run(port)
      try {
        // eslint-disable-next-line no-await-in-loop -- one after the other
        await run.ready(port)
        return new Server(port, run)
      } catch (error) {
        // somebody else may have taken the port meanwhile
        if (tries === 5) throw error
      }
    }
  }

  get url(): string {
    return `redis://${host}:${this.port}`
  }

  get pid(): number | undefined {
    return this.run.pid
  }

  kill(): Promise<void> {
    return this.run.kill()
  }

  async restart(): Promise<void> {
    await this.run.kill()
    this.run = new Run(this.port)
    await this.run.ready(this.port)
  }

  signal(signal: NodeJS.Signals): void {
    this.run.signal(signal)
  }
}
