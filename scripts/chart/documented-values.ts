import { isMap, isNode, isScalar, type Pair, parseDocument, type YAMLMap } from 'yaml';

/** A value of the chart, as values.yaml documents it. */
export interface DocumentedValue {
  /** Its name as `--set` takes it: `router.image.tag`. */
  readonly path: string;
  /** What it means, one line of Markdown; empty where values.yaml says nothing. */
  readonly description: string;
  /** What it is when not set: JSON in backticks, or the words of an `@default --` line. */
  readonly fallback: string;
}

/**
 * Reads the comments of a values.yaml: `# -- text` above a key documents it, further comment lines go
 * on with the text, and `# @default -- text` tells the default where the file's own one does not say
 * it. A map that has such a comment is one value; one that has none is a section.
 *
 * @throws when the text is not YAML
 */
export function documentedValues(yaml: string): DocumentedValue[] {
  const document = parseDocument(yaml);
  const [error] = document.errors;
  if (error !== undefined) throw error;
  return isMap(document.contents) ? valuesOf(document.contents, '') : [];
}

function valuesOf(map: YAMLMap, prefix: string, aboveFirst?: string | null): DocumentedValue[] {
  return map.items.flatMap((pair, index) => {
    const path = `${prefix}${keyOf(pair)}`;
    // The parser gives the comment above a map's first key to the map.
    const comment = index === 0 && aboveFirst ? aboveFirst : commentOf(pair);
    const { value } = pair;
    const { description, fallback } = readComment(comment ?? '');
    if (description === '' && isMap(value) && value.items.length > 0) {
      return valuesOf(value, `${path}.`, value.commentBefore);
    }
    const json = JSON.stringify(isNode(value) ? value.toJSON() : null);
    return [{ path, description, fallback: fallback || `\`${json}\`` }];
  });
}

function keyOf({ key }: Pair): string {
  return String(isScalar(key) ? key.value : key);
}

function commentOf({ key }: Pair): string | null | undefined {
  return isScalar(key) ? key.commentBefore : undefined;
}

function readComment(comment: string): { description: string; fallback: string } {
  const text: string[] = [];
  let fallback = '';
  let begun = false;
  for (const line of comment.split('\n').map((one) => one.trim())) {
    if (line.startsWith('-- ')) {
      begun = true;
      text.length = 0;
      text.push(line.slice(3));
    } else if (line.startsWith('@default -- ')) {
      fallback = line.slice('@default -- '.length);
    } else if (begun && line !== '') {
      text.push(line);
    }
  }
  return { description: text.join(' '), fallback };
}
