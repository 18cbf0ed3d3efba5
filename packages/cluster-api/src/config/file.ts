import { readFileSync } from 'node:fs';
import { isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml';
import { reasonOf } from '../reason.ts';
import { SETTING_NAMES } from './settings.ts';
import { didYouMean, type Given, type Source, settingNamed } from './source.ts';
import type { RawValue } from './values.ts';

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
  const given = new Map<string, Given>();
  const errors = document.errors.map((error) => `${at(error.pos[0])}: ${error.message}`);
  const { contents } = document;
  if (errors.length > 0 || contents === null || scalarText(contents) === '') return { given, errors };
  if (!isMap<Node, Node | null>(contents)) {
    return { given, errors: [`${file}: expected settings as NAME: VALUE, one on each line`] };
  }
  for (const { key, value } of contents.items) {
    const origin = at(key.range?.[0]);
    const written = scalarText(key) ?? String(key);
    const name = settingNamed(written);
    const raw = rawValue(value);
    const error = whatIsWrong({ written, name, raw, twice: name !== null && given.has(name) });
    if (error !== null) errors.push(`${origin}: ${error}`);
    else if (name !== null && raw != null) given.set(name, { value: raw, origin });
  }
  return { given, errors };
}

interface Entry {
  readonly written: string;
  readonly name: string | null;
  readonly raw: RawValue | null | undefined;
  readonly twice: boolean;
}

function whatIsWrong({ written, name, raw, twice }: Entry): string | null {
  if (name === null)
    return `unknown setting ${written}${didYouMean(written, SETTING_NAMES, (known) => known)}`;
  if (twice) return `${name} is given twice`;
  if (raw === null) return `${name} has no value`;
  return raw === undefined ? `${name} is neither a text nor a list or map of texts` : null;
}

/** null for nothing, undefined for what no setting can be. */
function rawValue(node: Node | null): RawValue | null | undefined {
  if (node === null) return null;
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
