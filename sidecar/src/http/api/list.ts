import type { ServerResponse } from 'node:http';
import type { Kind } from '../../records/kinds.ts';
import { type Item, PAGE_BYTES, type Page, type Position } from '../../records/list.ts';
import type { Store } from '../../stores/store.ts';
import { StoreError } from '../../stores/store-error.ts';
import type { Exchange } from '../exchange.ts';
import type { Problem } from '../problem.ts';
import { encodeCursor } from './cursor.ts';
import { LIST_TIMEOUT_MS, MAX_PAGE_CHARS, STALL_MS } from './limits.ts';
import { type List, listOf } from './list-parameters.ts';
import type { PageBudget, PageShare } from './page-budget.ts';
import { parseQuery } from './query-string.ts';
import { JSON_TYPE } from './receipt.ts';
import { endIfStalled } from './stall.ts';
import { unreadable } from './unreadable.ts';

export interface ListParts {
  readonly store: Pick<Store, 'list'>;
  readonly budget: PageBudget;
  /** Told of what failed but is no {@link StoreError}. */
  readonly onError: (error: unknown) => void;
}

/** Serves GET of one kind: one page. The exchange has its connection. */
export async function list(kind: Kind, exchange: Exchange, parts: ListParts): Promise<void> {
  const { outgoing } = exchange;
  const parameters = parseQuery(exchange.incoming.url ?? '');
  if ('status' in parameters) return exchange.problem(parameters);
  const asked = listOf(kind, parameters, Date.now());
  if ('status' in asked) return exchange.problem(asked);
  const read = await readPage(asked, parts, outgoing);
  if ('status' in read) return exchange.problem(read);
  const text = render(asked, read.page);
  read.share.shrink(text.length);
  endIfStalled(outgoing, STALL_MS);
  return exchange.reply(200, JSON_TYPE, text);
}

/** A page, and its share of the memory for pages, which it holds until its answer has left. */
interface ReadPage {
  readonly page: Page;
  readonly share: PageShare;
}

async function readPage(
  { query }: List,
  { store, budget, onError }: ListParts,
  outgoing: ServerResponse,
): Promise<ReadPage | Problem> {
  // Clients that give up ask again: their abandoned lists would keep each new one waiting.
  const wanted = new AbortController();
  const late = Promise.withResolvers<never>();
  let share: PageShare | undefined;
  const giveUp = () => {
    wanted.abort();
    const busy = 'too many pages are being read or sent, to clients that may be slow';
    late.reject(new StoreError(share === undefined ? busy : 'the list was not answered in time'));
  };
  const read = async (): Promise<ReadPage> => {
    const held = await budget.take(PAGE_BYTES, wanted.signal);
    share = held;
    const release = () => held.shrink(0);
    outgoing.once('close', release);
    if (outgoing.closed) release();
    return { page: await store.list(query, wanted.signal), share: held };
  };
  const timer = setTimeout(giveUp, LIST_TIMEOUT_MS);
  outgoing.on('close', giveUp);
  try {
    return await Promise.race([read(), late.promise]);
  } catch (error) {
    share?.shrink(0);
    if (!(error instanceof StoreError)) onError(error);
    const why = error instanceof StoreError ? error.reason : 'the error is in the log';
    return unreadable(why);
  } finally {
    clearTimeout(timer);
    outgoing.off('close', giveUp);
  }
}

/** Writes a page, cut where its text would be too long; the cursor goes on after the cut. */
function render({ asked, query }: List, page: Page): string {
  const names = ['id', ...query.kind.columns.map((column) => column.name)];
  const items: string[] = [];
  let chars = 0;
  let next: Position | null = page.next;
  for (const [place, item] of page.items.entries()) {
    const text = renderItem(names, item);
    chars += text.length;
    items.push(text);
    if (chars > MAX_PAGE_CHARS && place < page.items.length - 1) {
      next = { ts: String(item.ts), id: String(item.id) };
      break;
    }
  }
  const { since, until } = query;
  const cursor = next === null ? null : encodeCursor(asked, { after: next, since, until });
  return `{"items":[${items.join(',')}],"next_cursor":${JSON.stringify(cursor)}}`;
}

function renderItem(names: readonly string[], item: Item): string {
  const ordered: Record<string, string | number | null> = {};
  for (const name of names) ordered[name] = item[name] ?? null;
  return JSON.stringify(ordered);
}
