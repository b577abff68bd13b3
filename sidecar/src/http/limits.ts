/** Limits of both listeners, with their reasons. Those of bodies stand in api/limits.ts. */

/** Most bytes of a request's line and headers; Node's own default, said aloud. */
export const MAX_HEADER_BYTES = 16 * 1024;

/** Headers of a request; Node's own default, said aloud. Its parser refuses more, as it does bytes. */
export const MAX_HEADERS = 1_000;

/** A client on the same host sends its headers in one packet; a slow one is stuck or hostile. */
export const HEADERS_TIMEOUT_MS = 10_000;

/** From a request's first byte to the last of its body: 8 MiB need milliseconds on loopback. */
export const REQUEST_TIMEOUT_MS = 30_000;

/** How often the two above are looked at. */
export const TIMEOUT_CHECK_MS = 2_000;

/**
 * How long an idle connection is kept. Go's transport keeps its end for 90 s and does not repeat a
 * POST that met a closing connection, so this end must be the more patient one.
 */
export const KEEP_ALIVE_MS = 125_000;

/**
 * What Node's parser reads ahead of a body that is paused. A quarter of its default: it counts bytes
 * and not chunks, and as many chunks of one byte take a tenth of a second to parse.
 */
export const STREAM_BYTES = 16 * 1024;

/** Requests that wait on one connection for the answers before theirs. Hardly any client pipelines. */
export const API_PIPELINED = 100;

/** An answer of the ops listener takes a millisecond to make, and no caller of it pipelines. */
export const OPS_PIPELINED = 1;

/**
 * Memory of the requests that wait so, on all connections of a listener together: room for a thousand
 * small ones. Each may have MAX_HEADER_BYTES, which would come to 1.6 GiB, and beside a full queue and
 * bodies the chart's limit of memory leaves hardly more than this.
 */
export const PIPELINED_BYTES = 4 * 1024 * 1024;

/** A Router opens a connection for each request under way. */
export const API_CONNECTIONS = 1_024;

/** The kubelet and a few Prometheus servers. */
export const OPS_CONNECTIONS = 128;

/**
 * A client that is still sending when its answer is ready learns of it only if the connection
 * stays open while it sends, and is read from: for so long, and so many bytes.
 */
export const DISCARD_MS = 5_000;
export const DISCARD_BYTES = 64 * 1024 * 1024;
