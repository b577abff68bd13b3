import { copyFileSync, existsSync, mkdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect } from 'vitest';
import { KINDS } from './kinds.ts';

export interface Item {
  readonly id: string;
  readonly ts: string;
  readonly event_id: string | null;
  readonly [column: string]: unknown;
}

/** All records of a list, page after page. */
export async function listAll(api: string, path: string, query = ''): Promise<Item[]> {
  const items: Item[] = [];
  let cursor: string | null = null;
  do {
    const after: string = cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`;
    const response = await fetch(`${api}${path}?limit=1000${query}${after}`);
    expect(response.status, await response.clone().text()).toBe(200);
    const page = (await response.json()) as { items: Item[]; next_cursor: string | null };
    items.push(...page.items);
    cursor = page.next_cursor;
  } while (cursor !== null);
  return items;
}

/** The event ids of all kinds as the API lists them. */
export async function listedIds(api: string): Promise<string[]> {
  const lists = await Promise.all(KINDS.map(({ path }) => listAll(api, path)));
  return lists.flat().map(({ event_id }) => String(event_id));
}

/** The event ids of all kinds in a closed file, after a full check of it. */
export function idsInFile(path: string): string[] {
  const database = new DatabaseSync(path);
  try {
    expect(database.prepare('PRAGMA integrity_check').all()).toEqual([{ integrity_check: 'ok' }]);
    return KINDS.flatMap(({ table }) =>
      database
        .prepare(`SELECT event_id FROM ${table}`)
        .all()
        .map((row) => String(row.event_id)),
    );
  } finally {
    database.close();
  }
}

/** A copy of a database that no process has open, with what lies beside it. Answers its path. */
export function copyDatabase(path: string, directory: string): string {
  mkdirSync(directory, { recursive: true });
  const target = join(directory, basename(path));
  for (const suffix of ['', '-wal', '-journal']) {
    if (existsSync(path + suffix)) copyFileSync(path + suffix, target + suffix);
  }
  return target;
}

/** Those of the first that are not in the second; a difference of large sets reads better so. */
export function missing(wanted: Iterable<string>, from: Iterable<string>): string[] {
  const there = new Set(from);
  return [...wanted].filter((id) => !there.has(id));
}
