import { setTimeout as sleep } from 'node:timers/promises';
import { type SidecarAccount, sidecarAccount } from './accounts.ts';
import type { Namespace } from './namespace.ts';
import { type Forward, portForward } from './port-forward.ts';
import { OPS_PORT, parseMetrics } from './records.ts';

/** The sidecar takes no more records for at least a second before it ends; it is asked often in that. */
const LOOK_MS = 100;

/** Reads a sidecar's account again and again, so that the last one is known when its Pod has ended. */
export class AccountWatch {
  readonly #forward: Forward;
  readonly #ended: Promise<void>;
  #isStopped = false;
  #last: SidecarAccount;

  constructor(forward: Forward, first: SidecarAccount) {
    this.#forward = forward;
    this.#last = first;
    this.#ended = this.#read();
  }

  /** What it counts now, or a moment ago. */
  get now(): SidecarAccount {
    return this.#last;
  }

  /** Waits for the sidecar's end, and tells what it counted last. */
  async last(): Promise<SidecarAccount> {
    await this.#ended;
    return this.#last;
  }

  async #read(): Promise<void> {
    while (!this.#isStopped) {
      try {
        this.#last = await accountOf(this.#forward);
      } catch {
        return;
      }
      await sleep(LOOK_MS);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isStopped = true;
    await this.#forward[Symbol.asyncDispose]();
    await this.#ended;
  }
}

/** Begins to read the account of a Pod's sidecar. */
export async function watchAccount(namespace: Namespace, pod: string): Promise<AccountWatch> {
  const forward = await portForward(namespace, `pod/${pod}`, OPS_PORT);
  return new AccountWatch(forward, await accountOf(forward));
}

async function accountOf(forward: Forward): Promise<SidecarAccount> {
  const response = await fetch(`${forward.url}/metrics`, { signal: AbortSignal.timeout(10_000) });
  return sidecarAccount(parseMetrics(await response.text()));
}
