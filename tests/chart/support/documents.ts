import { readFile } from 'node:fs/promises';

/** A fenced block of a Markdown document. */
export interface Block {
  /** What stands behind the fence; empty where nothing does. */
  language: string;
  text: string;
}

/** Reads a Markdown document, by its path below the project's root. */
export function readDocument(path: string): Promise<string> {
  return readFile(new URL(`../../../${path}`, import.meta.url), 'utf8');
}

/** The fenced blocks of a document, also those that are indented below an item of a list. */
export function fencedBlocks(markdown: string): Block[] {
  const fences = /^( *)```(\w*)\n(.*?)^\1```$/gms;
  return [...markdown.matchAll(fences)].map(([, indent = '', language = '', text = '']) => ({
    language,
    text: text.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
  }));
}

/** The commands of helm and kubectl in blocks of these languages, one a text, in their order. */
export function clusterCommands(markdown: string, languages: readonly string[]): string[] {
  return fencedBlocks(markdown)
    .filter(({ language }) => languages.includes(language))
    .flatMap(({ text }) => text.replaceAll('\\\n', ' ').split('\n'))
    .filter((line) => /^(helm|kubectl) /.test(line));
}
