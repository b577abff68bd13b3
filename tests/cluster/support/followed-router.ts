import { expect } from 'vitest';
import { type AccountWatch, watchAccount } from './account-watch.ts';
import { eventually } from './eventually.ts';
import { followLog, type LogStream } from './log-stream.ts';
import type { Namespace } from './namespace.ts';
import { parseJournal, storageUp } from './records.ts';

/** The Pod of a Router under load, of which all that it tells is kept beyond its end. */
export class FollowedRouter {
  readonly pod: string;
  /** The Router's log, with its journal. */
  readonly log: LogStream;
  /** The sidecar's log. */
  readonly sidecarLog: LogStream;
  /** The sidecar's account. */
  readonly account: AccountWatch;

  constructor(pod: string, log: LogStream, sidecarLog: LogStream, account: AccountWatch) {
    this.pod = pod;
    this.log = log;
    this.sidecarLog = sidecarLog;
    this.account = account;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const each of [this.log, this.sidecarLog, this.account]) await each[Symbol.asyncDispose]();
  }
}

/**
 * Follows the Router of the Pod that is there now, with some load behind it that is stored: a Pod is ready
 * before its storage is open.
 */
export async function followRouter(namespace: Namespace): Promise<FollowedRouter> {
  const { name } = (await namespace.routerPod()).metadata;
  await storageUp(namespace, name);
  const log = await followLog(namespace, name, 'router');
  const sidecarLog = await followLog(namespace, name, 'storage');
  const account = await watchAccount(namespace, name);
  const durable = () =>
    parseJournal(log.text).filter(({ outcome }) => outcome === 'durable').length;
  const before = durable();
  await eventually(async () => expect(durable()).toBeGreaterThan(before + 100));
  return new FollowedRouter(name, log, sidecarLog, account);
}

/** Waits for a Pod of the Router other than the one named, and that it is ready. */
export async function successor(namespace: Namespace, of: string): Promise<string> {
  const name = await eventually(async () => {
    const pod = await namespace.routerPod();
    expect(pod.metadata.name).not.toBe(of);
    return pod.metadata.name as string;
  });
  await namespace.kubectl('wait', `pod/${name}`, '--for=condition=Ready', '--timeout=120s');
  return name;
}
