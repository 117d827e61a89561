/** What the codes of gRPC say about a call, and the pause that a server asks for (gRFC A6). */

/** CANCELLED is 1, the rest in the order of the numbers that gRPC has given them. */
const kinds = [
  "Success", // OK
  "Interrupted", // CANCELLED: nobody waits for the answer, as far as the server knows
  "Transient", // UNKNOWN
  "Permanent", // INVALID_ARGUMENT
  "Transient", // DEADLINE_EXCEEDED
  "Permanent", // NOT_FOUND
  "Permanent", // ALREADY_EXISTS
  "Permanent", // PERMISSION_DENIED
  "Throttled", // RESOURCE_EXHAUSTED
  "Permanent", // FAILED_PRECONDITION
  "Permanent", // ABORTED: to be tried again from the start of the transaction, not with this call
  "Permanent", // OUT_OF_RANGE
  "Permanent", // UNIMPLEMENTED
  "Transient", // INTERNAL
  "Transient", // UNAVAILABLE
  "Permanent", // DATA_LOSS
  "Permanent" // UNAUTHENTICATED
] as const

/** A code that is not known is taken for UNKNOWN, as gRPC takes it. */
export const kindOfStatus = (code: number): typeof kinds[number] => kinds[code] ?? "Transient"

const integer = /^-?\d{1,15}$/

/** The code in a `grpc-status` header; one that cannot be read is UNKNOWN. */
export const codeOf = (header: string): number => integer.test(header) ? Number(header) : 2

/** The milliseconds of a `grpc-retry-pushback-ms` header. A negative number, or no number, is a server that wants no other attempt. */
export const pushback = (header: string): number =>
  integer.test(header) && Number(header) >= 0 ? Number(header) : Infinity
