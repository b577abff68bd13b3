/** What a client process (client.ts) can be told to do, and what it reports. */

export interface SinglesJob {
  readonly job: 'singles';
  /** The resource to post to. */
  readonly url: string;
  /** A file of bodies, one a line, that are sent in turn. */
  readonly bodies: string;
  readonly prefer?: string;
  readonly connections: number;
  readonly seconds: number;
}

export interface BatchesJob {
  readonly job: 'batches';
  /** The API. */
  readonly url: string;
  /** Records of a batch. */
  readonly size: number;
  /** Batches that are sent first and not counted. */
  readonly warmup: number;
  readonly count: number;
  readonly connections: number;
}

export interface FillJob {
  readonly job: 'fill';
  /** The API. */
  readonly url: string;
  readonly size: number;
  readonly sandboxes: number;
  /** Batches to generate and pass over, since an earlier job has sent them. */
  readonly skip: number;
  readonly count: number;
  /** Wait for each batch to be on the disk; else the queue fills. */
  readonly wait: boolean;
  readonly connections: number;
}

export interface ListsJob {
  readonly job: 'lists';
  /** Lists to ask for in turn, with their queries. Cursors are followed to the end. */
  readonly urls: readonly string[];
  readonly connections: number;
  readonly seconds: number;
  /** Between two requests of a connection. */
  readonly pauseMs: number;
}

export interface BackupsJob {
  readonly job: 'backups';
  /** The resource to fetch, again and again. */
  readonly url: string;
  readonly seconds: number;
}

export type Job = SinglesJob | BatchesJob | FillJob | ListsJob | BackupsJob;

export interface Report {
  readonly requests: number;
  /** Answers with another status than a success, and requests without an answer. */
  readonly failed: number;
  readonly seconds: number;
  /** Of the requests that were counted, in milliseconds; empty for batches and fills. */
  readonly latenciesMs: readonly number[];
}
