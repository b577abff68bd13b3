/** Prints the name and tag of the sidecar's image as the chart asks for it. */

import { readFileSync } from 'node:fs';
import { parse } from 'yaml';

interface Values {
  readonly global: { readonly registry: string };
  readonly optional: {
    readonly storage: { readonly sidecar: { readonly image: { readonly repository: string } } };
  };
}

const read = (path: string): unknown =>
  parse(readFileSync(new URL(`../chart/${path}`, import.meta.url), 'utf8'));

const { global, optional } = read('values.yaml') as Values;
const { repository } = optional.storage.sidecar.image;
const { version } = read('Chart.yaml') as { readonly version: string };
// A name without a slash is short: the chart looks it up in its registry.
const path = repository.includes('/') ? repository : `${global.registry}/${repository}`;
process.stdout.write(`${path}:${version}\n`);
