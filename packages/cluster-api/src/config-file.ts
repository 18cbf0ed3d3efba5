import { readFileSync } from 'node:fs';
import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml';
import { SETTING_NAMES } from './config-settings.ts';
import { didYouMean, type Given, type Source, settingNamed } from './config-source.ts';
import type { RawValue } from './config-values.ts';

/**
 * Reads a YAML file of settings; `origin` says what named it. A file that cannot be read, or is no YAML, gives errors
 * and nothing else.
 */
export function readConfigFile(file: string, origin: string): Source {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    return { given: new Map(), errors: [`${origin}: cannot read the file: ${reasonOf(error)}`] };
  }
  return parseConfigFile(file, text);
}

/** As `readConfigFile`; `file` only names the text in errors. */
export function parseConfigFile(file: string, text: string): Source {
  const lines = new LineCounter();
  const at = (offset: number | undefined) => `${file}:${lines.linePos(offset ?? 0).line}`;
  // Every scalar stays as it is written: 0123 and yes are texts, and each setting knows its own form.
  const document = parseDocument(text, { schema: 'failsafe', lineCounter: lines, prettyErrors: false });
  const errors = document.errors.map((error) => `${at(error.pos[0])}: ${error.message}`);
  const given = new Map<string, Given>();
  if (errors.length > 0 || document.contents === null) return { given, errors };
  if (!isMap<Node, Node | null>(document.contents)) {
    if (isScalar(document.contents) && document.contents.value === '') return { given, errors };
    return { given, errors: [`${file}: expected settings as NAME: VALUE, one on each line`] };
  }
  for (const { key, value } of document.contents.items) {
    const written = isScalar<string>(key) ? key.value : String(key);
    const origin = at(key.range?.[0]);
    const name = settingNamed(written);
    const raw = rawValue(value);
    if (name === null) {
      errors.push(
        `${origin}: unknown setting ${written}${didYouMean(written, SETTING_NAMES, (known) => known)}`,
      );
    } else if (given.has(name)) errors.push(`${origin}: ${name} is given twice`);
    else if (raw === null) errors.push(`${origin}: ${name} has no value`);
    else if (raw === undefined) errors.push(`${origin}: ${name} holds lists or maps within a list or map`);
    else given.set(name, { value: raw, origin });
  }
  return { given, errors };
}

/** null for nothing, undefined for what nests deeper than any setting does. */
function rawValue(node: Node | null): RawValue | null | undefined {
  if (node === null || isAlias(node)) return node === null ? null : undefined;
  if (isScalar(node)) return scalarText(node) === '' && node.source === '' ? null : scalarText(node);
  if (isSeq(node)) {
    const items = node.items.map(scalarText);
    return items.every((item) => item !== null) ? items : undefined;
  }
  if (!isMap(node)) return undefined;
  const entries = node.items.map(({ key, value }) => [scalarText(key), scalarText(value)] as const);
  const texts = entries.flatMap(([key, value]) =>
    key === null || value === null ? [] : [[key, value] as const],
  );
  return texts.length === entries.length ? Object.fromEntries(texts) : undefined;
}

function scalarText(node: unknown): string | null {
  return isScalar(node) && typeof node.value === 'string' ? node.value : null;
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
