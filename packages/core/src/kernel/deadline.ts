/** How a deadline crosses a wire: as the time that is left, for the clocks of two machines have nothing in common. */

/** Milliseconds in the units of the `grpc-timeout` header (PROTOCOL-HTTP2 of gRPC). */
const units: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 1e-3, n: 1e-6 }

const plain = /^\d{1,15}$/
const grpc = /^(\d{1,8})([HMSmun])$/

const longest = 999_999_999_999_999

/** Whole milliseconds, rounded down: what is said to be left is left. */
export const format = (remaining: number): string => String(Math.min(longest, Math.max(0, Math.floor(remaining))))

/** The milliseconds that a header says are left, at most `max`; nothing if it is neither of the two forms. */
export const parse = (header: string, max: number): number | undefined => {
  if (plain.test(header)) return Math.min(max, Number(header))
  const parts = grpc.exec(header)
  return parts === null ? undefined : Math.min(max, Number(parts[1]) * units[parts[2]!]!)
}
